"""When to look for work: at once when Prefect says that a run was scheduled, and now and then anyway."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

__all__ = ["Waking"]

_SCHEDULED = ("Resuming", "Scheduled", "AwaitingRetry", "Late")
_BESIDE_EVENTS_S = 5.0
"""An event may be lost, and runs may become due with no event."""
_WITHOUT_EVENTS_S = 0.5
_AGAIN_S = 5.0
"""Between two attempts to listen."""


class Waking:
    """Wakes whoever waits for work; `listen` has to run beside it.

    Args:
        pool_id: The work pool whose runs matter.
        tell: Told once when there are no events.
    """

    def __init__(self, pool_id: UUID, tell: Callable[[str], None]) -> None:
        self._pool_id, self._tell = pool_id, tell
        self._woken = asyncio.Event()
        self._listens = self._is_work = False

    def wake(self) -> None:
        """There may be runs to list."""
        self._is_work = True
        self._woken.set()

    def nudge(self) -> None:
        """There is room for what was listed before."""
        self._woken.set()

    async def wait(self) -> bool:
        """Until there is something to do; whether that may be runs to list."""
        try:
            await asyncio.wait_for(self._woken.wait(), _BESIDE_EVENTS_S if self._listens else _WITHOUT_EVENTS_S)
        except TimeoutError:
            self._is_work = True
        self._woken.clear()
        is_work, self._is_work = self._is_work, False
        return is_work

    async def listen(self) -> None:
        """Follow the server's events for ever, and begin again where they stop."""
        is_told = False
        while True:
            try:
                await self._follow()
            except Exception as exc:  # noqa: BLE001 - Prefect raises a bare Exception where the server refuses us
                if not is_told:
                    self._tell(f"no events ({type(exc).__name__}): looking every {_WITHOUT_EVENTS_S:g} s")
                is_told = True
            self._listens = False
            await asyncio.sleep(_AGAIN_S)

    async def _follow(self) -> None:
        wanted = EventFilter(
            event=EventNameFilter(name=[f"prefect.flow-run.{name}" for name in _SCHEDULED]),
            any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{self._pool_id}"]),
        )
        async with get_events_subscriber(wanted, reconnection_attempts=0) as events:
            self._listens = True
            # For what was scheduled before.
            self.wake()
            async for _ in events:
                self.wake()
