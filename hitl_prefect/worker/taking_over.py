"""Reviews whose worker died are scheduled anew: Prefect's own server leaves them Pending or Running for ever."""

from collections.abc import AsyncIterator, Callable, Collection
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    WorkerFilter,
    WorkerFilterStatus,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import AwaitingRetry

from hitl_prefect.journal import create_row, read_row
from hitl_prefect.worker.claims import Claim
from hitl_prefect.worker.states import is_gone

__all__ = ["TakingOver"]

_PAGE = 200
_TAKERS = 10
"""More workers than die one after the other over the same run."""


class TakingOver:
    """Looks for runs of a work pool that a dead worker left behind.

    A worker on this machine is dead when its process has ended; one elsewhere when the server calls it offline, which
    is after three missed heartbeats (90 s unless told otherwise). What this worker itself let go of counts as left
    behind, too.

    Args:
        client: An open client.
        pool: The work pool's name.
        mine: Who looks.
        runs_here: The runs that this worker runs at the moment.
    """

    def __init__(
        self, client: PrefectClient, pool: str, *, mine: Claim, runs_here: Callable[[], Collection[UUID]]
    ) -> None:
        self._client, self._pool, self._mine, self._runs_here = client, pool, mine, runs_here

    async def look(self) -> list[UUID]:
        """Schedule anew what was left behind, each run once however many workers look at the same time.

        Returns:
            The runs that were scheduled.
        """
        # What ends while the list is read was here before it, and what begins then is here after it.
        here = set(self._runs_here())
        listed = [(run, claim) async for run, claim in self._claimed()]
        here.update(self._runs_here())
        claimed = [(run, claim) for run, claim in listed if run.id not in here]
        if not claimed:
            return []
        online = await self._online()
        dead = [run for run, claim in claimed if self._is_dead(claim, online)]
        return [run.id for run in dead if await self._take(run, online)]

    async def _claimed(self) -> AsyncIterator[tuple[FlowRun, Claim]]:
        states = {"state": {"type": {"any_": [StateType.PENDING, StateType.RUNNING]}}}
        offset = 0
        while True:
            page = await self._client.read_flow_runs(
                flow_run_filter=FlowRunFilter.model_validate(states),
                work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[self._pool])),
                limit=_PAGE,
                offset=offset,
            )
            for run in page:
                if run.state and (claim := Claim.of(run.state.message)):
                    yield run, claim
            offset += _PAGE
            if len(page) < _PAGE:
                return

    async def _online(self) -> set[str]:
        # The server keeps a row of every worker that there ever was.
        wanted = WorkerFilter(status=WorkerFilterStatus(any_=[WorkerStatus.ONLINE]))
        workers = await self._client.read_workers_for_work_pool(self._pool, worker_filter=wanted)
        return {worker.name for worker in workers}

    def _is_dead(self, claim: Claim, online: Collection[str]) -> bool:
        if claim == self._mine:
            return True
        dead = claim.is_dead_here()
        return claim.worker not in online if dead is None else dead

    async def _take(self, run: FlowRun, online: Collection[str]) -> bool:
        """Whether we took it over; a run that was deleted meanwhile is nobody's."""
        try:
            return await self._schedule(run, online)
        except (ObjectNotFound, PrefectHTTPStatusError) as exc:
            if not is_gone(exc):
                raise
            return False

    async def _schedule(self, run: FlowRun, online: Collection[str]) -> bool:
        """Whether we were the first to take it over, and it is still as it was left."""
        if run.state is None or not await self._is_first(run, run.state.id, online):
            return False
        now = (await self._client.read_flow_run(run.id)).state
        if now is None or now.id != run.state.id:
            return False
        # Forced: the rules know no way from Running back to Scheduled.
        await self._client.set_flow_run_state(run.id, AwaitingRetry(message="its worker is gone"), force=True)
        return True

    async def _is_first(self, run: FlowRun, left_in: UUID, online: Collection[str]) -> bool:
        """A row of the run, which the database keeps once, decides who takes it over out of the state it was left in.

        Where whoever was first has died as well, the next row decides.
        """
        for number in range(_TAKERS):
            key = f"hitl-taken-over-{left_in}-{number}"
            if await create_row(self._client, run.id, key, self._mine.model_dump_json()):
                return True
            row = await read_row(self._client, run.id, key)
            taker = Claim.model_validate_json(row[0]) if row else None
            if taker is None or taker == self._mine:
                return taker is not None
            if not self._is_dead(taker, online):
                return False
        return False
