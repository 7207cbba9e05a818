"""Several things side by side, none of which outlives the wait for them."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

__all__ = ["abreast"]

T = TypeVar("T")


async def abreast(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all of it side by side. Where one fails, or the wait is cancelled, the others are stopped, and have ended.

    What `asyncio.gather` leaves behind then would go on with what its caller has closed. An `asyncio.TaskGroup` would
    wrap the failure, and Prefect looks for its own kind. Each is stopped once: a second time would interrupt what it
    closes.

    Returns:
        What came of each, in the same order.

    Raises:
        BaseException: The first failure, as it is.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
