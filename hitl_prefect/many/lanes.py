"""How many cases are under way at once, over the borders of chunks, and when no further one is begun."""

import asyncio

from hitl_prefect.direct import APART_S
from hitl_prefect.errors import HitlError

__all__ = ["Lanes"]

_IN_A_ROW = 3
"""So many times as many cases as are under way at once fail one after the other, and the batch stops."""
_AT_LEAST = 50


class Lanes:
    """Shared by all chunks of a batch: `enter`, `leave`, and a reason to stop.

    Args:
        in_flight: How many cases are under way at once.
    """

    def __init__(self, in_flight: int) -> None:
        self.in_flight = in_flight
        self.stopped: BaseException | None = None
        """Why no further case is begun; those under way are finished, since they are paid for."""
        self.why = ""
        """The same in words."""
        self._free = asyncio.Semaphore(in_flight)
        self._begun = 0
        self._failed_in_a_row = 0

    async def enter(self) -> bool:
        """Wait for a free lane; `False` where no further case is begun."""
        await self._free.acquire()
        if self.stopped:
            self._free.release()
            return False
        if self._begun < self.in_flight:
            self._begun += 1
            await asyncio.sleep(APART_S)
        return True

    def leave(self) -> None:
        """Free the lane."""
        self._free.release()

    def stop(self, reason: BaseException, why: str = "") -> None:
        """Begin no further case; the first reason stands."""
        if self.stopped is None:
            self.stopped, self.why = reason, why or type(reason).__name__

    def went_well(self) -> None:
        """A case has its draft."""
        self._failed_in_a_row = 0

    def went_wrong(self, reason: HitlError) -> None:
        """A case could not be asked about; after many in a row, nothing says that the next one could."""
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= max(_AT_LEAST, _IN_A_ROW * self.in_flight):
            self.stop(reason, f"{self._failed_in_a_row} cases in a row failed")
