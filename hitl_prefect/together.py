"""Many calls that are made at once, as few: who comes while one is under way shares the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Together"]

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """Collects what is given while a call is under way, and makes one call for all of it.

    Whoever gives something waits for the call that it is a part of, and gets what that returned: nothing is lost
    where the process dies, and who comes alone waits for nobody.

    Args:
        call: What is done with all that was collected, in the order in which it came.
        apart_s: Seconds from the end of one call to the next, for who comes soon after others.
    """

    def __init__(self, call: Callable[[Sequence[T]], Awaitable[R]], *, apart_s: float = 0.0) -> None:
        self._call, self._apart_s = call, apart_s
        self._collected: list[tuple[T, asyncio.Future[R]]] = []
        self._runs: asyncio.Task[None] | None = None

    async def give(self, one: T) -> R:
        """Give one, and wait for the call that it is a part of.

        Raises:
            Exception: What the call raised.
        """
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._collected.append((one, done))
        if self._runs is None:
            self._runs = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        try:
            while some := self._collected:
                self._collected = []
                await self._settle(some)
                if self._apart_s:
                    await asyncio.sleep(self._apart_s)
        finally:
            self._runs = None

    async def _settle(self, some: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            came = await self._call([one for one, _ in some])
        except Exception as exc:  # noqa: BLE001 - it is theirs who gave something
            for _, done in some:
                if not done.done():
                    done.set_exception(exc)
            return
        for _, done in some:
            if not done.done():
                done.set_result(came)
