"""Several things at once, none of which outlives the wait for them."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

__all__ = ["at_once"]


async def at_once(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once. Where one fails, or the wait is cancelled, the others are stopped, and have ended.

    What `asyncio.gather` leaves behind then would go on with what its caller has closed. An `asyncio.TaskGroup` would
    wrap the failure, and Prefect looks for its own kind.

    Raises:
        BaseException: The first failure, as it is.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
