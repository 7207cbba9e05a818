"""What runs inside a worker of type `hitl`: it listens, attends to what is due, takes over what dead workers left."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.context import AsyncClientContext
from prefect.flows import load_flow_from_entrypoint

from hitl_prefect.inbox_page import arefresh_inbox, pages_postponed, refresh_if_cheap
from hitl_prefect.worker.admission import Admission
from hitl_prefect.worker.attending import Attending, RunSource
from hitl_prefect.worker.claims import Claim
from hitl_prefect.worker.light_engine import LightEngine
from hitl_prefect.worker.slots import Slots
from hitl_prefect.worker.states import AWAY, is_away
from hitl_prefect.worker.taking_over import TakingOver
from hitl_prefect.worker.waking import Waking

__all__ = ["Serving", "shared_client"]

_LOOK_FOR_DEAD_S = 10.0
_PAGE_S = 2.0
"""How old the page of what waits may get while reviews end one after the other."""
_FINISH_S = 20.0
"""How long reviews under way may take to end when the worker is stopped."""
_LAST_PAGE_S = 10.0
"""And then the page of what waits: where the server is away, Prefect's client would ask again for a minute."""
_AGAIN_S = 1.0


@contextlib.asynccontextmanager
async def shared_client(tell: Callable[[str], None]) -> AsyncIterator[PrefectClient]:
    """One client for all that is done within the block, once the server answers; until then it is asked again."""
    is_told = False
    while True:
        async with get_client() as client:
            if (trouble := await client.api_healthcheck()) is None:
                break
        if not is_told:
            tell(f"the Prefect server does not answer ({type(trouble).__name__}): trying again")
        is_told = True
        await asyncio.sleep(_AGAIN_S)
    # With Prefect's own settings: whoever asks for a client gets this one only if it asks for the same.
    async with AsyncClientContext() as context:
        yield context.client


def _load_flow(entrypoint: str) -> Flow[Any, Any]:
    """The flow of an entrypoint. The folder that we were started in counts, too: answer types may stand there."""
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.append(here)
    return load_flow_from_entrypoint(entrypoint)


class Serving:
    """One worker's work, until it is cancelled.

    Args:
        client: An open client.
        pool: The work pool; of type `hitl`.
        source: What of it.
        claim: Who runs the reviews.
        flow: The flow that is run, as its entrypoint names it.
        limit: Reviews at a time.
        tell: Told one line about each review, and about trouble.
    """

    def __init__(
        self,
        client: PrefectClient,
        pool: WorkPool,
        source: RunSource,
        claim: Claim,
        *,
        flow: str,
        limit: int,
        tell: Callable[[str], None],
    ) -> None:
        self._client, self._tell = client, tell
        self._is_page_old = False
        self._waking = Waking(pool.id, tell)
        self._slots = Slots(limit, freed=self._waking.nudge)
        self._engine = LightEngine(_load_flow(flow), client, claim)
        self._left = TakingOver(client, pool.name, mine=claim, runs_here=lambda: self._slots.run_ids)
        self._attending = Attending(
            client,
            source,
            self._engine,
            tell,
            admission=Admission(client, flow),
            slots=self._slots,
            waking=self._waking,
        )

    async def serve(self) -> None:
        """Listen, run what is due, and take over what dead workers left, for ever."""
        with pages_postponed(self._page_is_old):
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._waking.listen())
                loops.create_task(self._attending.attend())
                loops.create_task(self._look_for_dead())
                loops.create_task(self._refresh_page())

    async def once(self) -> None:
        """Run what is due now."""
        with pages_postponed(self._page_is_old):
            await self._take_over()
            await self._attending.look()
            while self._slots.run_ids:
                await self._waking.wait()
                await self._attending.look()

    async def run(self, flow_run: FlowRun) -> None:
        """Run one, past the worker's own limit."""
        await self._attending.admit(flow_run)

    def drop(self) -> None:
        """Leave everything where it stands: others may soon think that we are dead, and take it over."""
        self._slots.drop()

    async def finish(self) -> None:
        """Let what is under way end, within a bound."""
        if late := await self._slots.finish(_FINISH_S):
            self._tell(f"{late} reviews did not end within {_FINISH_S:g} s: the next worker goes on with them")
        if self._is_page_old:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(arefresh_inbox(), _LAST_PAGE_S)

    def _page_is_old(self) -> None:
        self._is_page_old = True

    async def _refresh_page(self) -> None:
        """One page for all reviews that ended meanwhile; where thousands wait, it is read and written each minute."""
        while True:
            await asyncio.sleep(_PAGE_S)
            if self._is_page_old:
                self._is_page_old = False
                if not await refresh_if_cheap(self._client):
                    self._is_page_old = True

    async def _look_for_dead(self) -> None:
        while True:
            await self._take_over()
            await asyncio.sleep(_LOOK_FOR_DEAD_S)

    async def _take_over(self) -> None:
        try:
            taken = await self._left.look()
        except AWAY as exc:
            if not is_away(exc):
                raise
            return
        if taken:
            self._tell(f"{len(taken)} reviews were left by a worker that is gone: they run again")
            self._waking.wake()
