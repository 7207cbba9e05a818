"""Trying again without a Prefect task, for where one task does many things and none may repeat the others."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hitl_prefect.errors import HitlError, TryAgain

__all__ = ["JITTER", "LONGEST_WAIT_S", "MODEL_S", "STORE_S", "patiently"]

T = TypeVar("T")

MODEL_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts to ask a model, as `generate` has them."""
STORE_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds between attempts to reach a store, as `save_outcome` has them."""

JITTER = 0.5
"""By how much of itself a pause before asking a model again may be longer."""
LONGEST_WAIT_S = 120.0
"""The longest that a provider's word is followed."""


async def patiently(call: Callable[[], Awaitable[T]], pauses_s: Sequence[float]) -> T:
    """Call, and call again where that can help, as the class of the error says.

    Args:
        call: What to do; whatever it did before it failed, it may do again.
        pauses_s: Seconds before each further attempt, each made up to half longer by chance; at least as long as the
            provider asked for, two minutes at most.

    Raises:
        HitlError: The last failure, or one that no further attempt can mend.
    """
    for pause_s in pauses_s:
        try:
            return await call()
        except HitlError as exc:
            if not exc.retryable:
                raise
            asked_s = min((exc.retry_after_s or 0) if isinstance(exc, TryAgain) else 0, LONGEST_WAIT_S)
        await asyncio.sleep(asked_s + pause_s * random.uniform(1, 1 + JITTER))  # noqa: S311 - chance, not a secret
    return await call()
