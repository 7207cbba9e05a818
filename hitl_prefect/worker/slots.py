"""The reviews that a worker runs at the moment, each in an asyncio task of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

__all__ = ["Slots"]


class Slots:
    """At most so many reviews at a time.

    Args:
        limit: How many; at least 1.
        freed: Called whenever one has ended.
    """

    def __init__(self, limit: int, freed: Callable[[], None]) -> None:
        self.limit = limit
        """How many at most."""
        self._freed = freed
        self._taken: dict[UUID, asyncio.Task[None]] = {}

    @property
    def free(self) -> int:
        """How many more there may be."""
        return self.limit - len(self._taken)

    @property
    def run_ids(self) -> frozenset[UUID]:
        """The flow runs that are under way."""
        return frozenset(self._taken)

    def start(self, run_id: UUID, work: Coroutine[Any, Any, None]) -> None:
        """Begin one; there must be a free slot."""
        task = self._taken[run_id] = asyncio.create_task(work, name=f"review {run_id}")
        task.add_done_callback(lambda _: self._end(run_id))

    def _end(self, run_id: UUID) -> None:
        del self._taken[run_id]
        self._freed()

    def drop(self) -> None:
        """End all where they stand."""
        for task in list(self._taken.values()):
            task.cancel()

    async def finish(self, within_s: float) -> int:
        """Let those under way end; how many did not in that time, and were dropped."""
        tasks = list(self._taken.values())
        if not tasks:
            return 0
        _, late = await asyncio.wait(tasks, timeout=within_s)
        self.drop()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)
