"""Store an outcome, as a Prefect task that outlasts a store that is down for a while."""

import asyncio

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.configured import store_of
from hitl_prefect.generating import can_help
from hitl_prefect.outcomes import Answer, Outcome, outcome_key

__all__ = ["asave_outcome", "save_outcome"]


async def asave_outcome(outcome: Outcome[Answer], *, store: str) -> str:
    """Store an outcome; once stored it stays as it is.

    Storing the same outcome again changes nothing. While the store is down the task tries again for two minutes.

    Args:
        outcome: What to keep.
        store: `folder:` path, `s3://` URL, or the name of a saved block.

    Returns:
        The key under which it stands.

    Raises:
        OutcomeConflict: If another outcome of the same case already stands there; ours is kept in quarantine.
        StoreError: If the store refused, or stayed down.
    """
    return await _store(outcome_key(outcome), outcome.stored, store)


def save_outcome(outcome: Outcome[Answer], *, store: str) -> str:
    """The same as `asave_outcome`, for a flow that is not async."""
    return run_coro_as_sync(asave_outcome(outcome, store=store))


@task(
    name="save_outcome",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=7,
    retry_delay_seconds=[1, 2, 4, 8, 15, 30, 60],
    retry_condition_fn=can_help,
)
async def _store(key: str, body: bytes, store: str) -> str:
    target = await store_of(store)
    done = await asyncio.to_thread(target.put_once, key, body)
    get_run_logger().info("%s: %s in %s", key, done, target.url)
    return key
