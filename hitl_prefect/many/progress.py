"""How far a batch is, as an artifact of its flow run that is written anew every two seconds."""

import asyncio
import contextlib
import time
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.logging import get_run_logger

from hitl_prefect.many.batch import Batch
from hitl_prefect.run_artifacts import RunArtifact

__all__ = ["Progress"]

_EVERY_S = 2.0
_WORDS = {
    "accepted": "accepted",
    "drafted": "drafted, not settled yet",
    "opened": "sent to people",
    "over_budget": "decided by the policy",
    "held": "held",
    "failed": "failed",
    "decided_before": "had an outcome already",
    "rejected_before": "had been rejected already",
    "forgotten": "had been forgotten",
    "waiting_before": "asked about by an earlier batch or run",
    "waiting": "not asked about yet",
}


class Progress:
    """Within its block the artifact is kept up to date, and the batch's wall time with it.

    That it cannot be shown is logged, and stops nothing.

    Args:
        client: An open Prefect client.
        run_id: The flow run whose artifact it is.
        batch: The batch.
    """

    def __init__(self, client: PrefectClient, run_id: UUID, batch: Batch) -> None:
        title, key = f"Batch {batch.name} of {batch.wanted.task}", f"hitl-batch-{batch.name}-progress"
        self._batch, self._artifact = batch, RunArtifact(client, run_id, title, key=key)
        self._seconds_before = float(batch.ledger.read_fact("seconds") or 0)
        self._began = time.monotonic()
        self._waited_at_first = batch.ledger.counts().get("waiting", 0)
        self._beat: asyncio.Task[None] | None = None

    @property
    def seconds(self) -> float:
        """Wall time of all runs of the batch."""
        return self._seconds_before + time.monotonic() - self._began

    async def __aenter__(self) -> Self:
        self._beat = asyncio.create_task(self._keep_up())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beat is not None:
            self._beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beat
        await self._show()

    def markdown(self) -> str:
        """Counts, rate, cost and time left."""
        counts = self._batch.ledger.counts()
        waiting = counts.get("waiting", 0)
        elapsed_s = max(time.monotonic() - self._began, 0.001)
        rate = (self._waited_at_first - waiting) / elapsed_s
        total = sum(counts.values())
        rows = [f"| {words} | {counts[state]:,} |" for state, words in _WORDS.items() if counts.get(state)]
        cost = self._batch.ledger.cost_usd()
        paid = "cost unknown" if cost is None else f"{cost:,.4f} USD"
        head = f"**{total - waiting:,} of {total:,} cases**, {rate:,.1f} a second, {_left(waiting, rate)}, {paid}"
        return "\n".join([head, "", "| | |", "| --- | ---: |", *rows])

    async def _keep_up(self) -> None:
        while True:
            await self._show()
            await asyncio.sleep(_EVERY_S)

    async def _show(self) -> None:
        self._batch.ledger.write_fact("seconds", f"{self.seconds:.3f}")
        try:
            await self._artifact.write(self.markdown())
        except httpx.HTTPError as exc:
            # The class alone: an error of the server repeats what was sent.
            get_run_logger().warning("the progress cannot be shown: %s", type(exc).__name__)


def _left(waiting: int, rate: float) -> str:
    """How long it will take; nobody can say before the first case is drafted."""
    if not waiting:
        return "nothing left to ask"
    return f"{_clock(waiting / rate)} left" if rate else "…"


def _clock(seconds: float) -> str:
    """As people say it.

    >>> _clock(59.4), _clock(3725)
    ('59 s', '1 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
