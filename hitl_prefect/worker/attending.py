"""Finds the reviews that are due, and runs them, as many at a time as there are slots."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import WorkerFlowRunResponse

from hitl_prefect.frozen import Frozen
from hitl_prefect.worker.admission import Admission
from hitl_prefect.worker.light_engine import LightEngine
from hitl_prefect.worker.slots import Slots
from hitl_prefect.worker.states import AWAY, is_away
from hitl_prefect.worker.waking import Waking

__all__ = ["Attending", "RunSource"]

_AGAIN_S = 1.0
"""How soon a server that is away is asked again."""


class RunSource(Frozen):
    """Where a worker takes its runs from."""

    pool: str
    queues: tuple[str, ...] = ()
    """Work queues of the pool; none: all of them."""
    ahead_s: float = 10.0
    """Also what becomes due so soon: the clocks of two machines differ."""


class Attending:
    """Lists due runs, and runs each in a slot.

    Args:
        client: An open client.
        source: Where they come from.
        engine: Runs one.
        tell: Told one line about each.
        admission: Says which are refused.
        slots: Where they run.
        waking: Says when to look.
    """

    def __init__(
        self,
        client: PrefectClient,
        source: RunSource,
        engine: LightEngine,
        tell: Callable[[str], None],
        *,
        admission: Admission,
        slots: Slots,
        waking: Waking,
    ) -> None:
        self._client, self._source, self._engine, self._tell = client, source, engine, tell
        self._admission, self._slots, self._waking = admission, slots, waking
        self._listed: deque[FlowRun] = deque()
        self._is_due = True

    async def attend(self) -> None:
        """Fill the slots whenever there is something to do, for ever; a server that is away is asked again."""
        is_told = False
        while True:
            try:
                await self.look()
                is_told = False
            except AWAY as exc:
                if not is_away(exc):
                    raise
                if not is_told:
                    self._tell(f"the Prefect server is away ({type(exc).__name__}): trying again")
                is_told = True
                await asyncio.sleep(_AGAIN_S)
                continue
            self._is_due |= await self._waking.wait()

    async def look(self) -> None:
        """Fill the slots with what is due."""
        while self._slots.free:
            if not self._listed:
                if not self._is_due:
                    return
                self._listed.extend(await self._list())
                # A full list may not be all.
                self._is_due = len(self._listed) == self._slots.limit
            while self._listed and self._slots.free:
                self._start(self._listed.popleft())

    async def _list(self) -> Sequence[FlowRun]:
        wanted = {
            "work_queue_names": list(self._source.queues) or None,
            "scheduled_before": str(datetime.now(UTC) + timedelta(seconds=self._source.ahead_s)),
            # No more: those that would only wait for a slot are any other worker's to claim.
            "limit": self._slots.limit,
        }
        answer = await self._client.request(
            "POST", "/work_pools/{name}/get_scheduled_flow_runs", path_params={"name": self._source.pool}, json=wanted
        )
        return [WorkerFlowRunResponse.model_validate(one).flow_run for one in answer.json()]

    def _start(self, run: FlowRun) -> None:
        # Listed again before its claim has reached the server.
        if run.id not in self._slots.run_ids:
            self._slots.start(run.id, self._attend_to(run))

    async def _attend_to(self, run: FlowRun) -> None:
        try:
            ended = await self.admit(run)
        except Exception as exc:  # noqa: BLE001 - one review is not to end the others
            # What we hold and do not run is found by our own look for what dead workers left.
            self._tell(f"{run.name} ({run.id}) is left for later: {type(exc).__name__}")
            return
        if ended is not None:
            self._tell(f"{run.name} ({run.id}): {ended.name}, {ended.message}")

    async def admit(self, run: FlowRun) -> State | None:
        """Run it, or refuse it; the state that it was left in."""
        if refusal := await self._admission.refusal(run):
            return await self._engine.refuse(run, refusal)
        return await self._engine.run(run, is_limited=await self._admission.is_limited(run))
