"""The bars that a flow run begins with: the store's newest version, which it then keeps."""

import asyncio

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.configured import policy_of, store_of
from hitl_prefect.patience import STORE_S, patiently
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import newest

__all__ = ["apin_policy", "pin_policy"]


async def apin_policy(policy: Policy | str, *, task: str, store: str) -> Policy:
    """The policy with the bars that are in force for a task, for whoever goes step by step.

    `resolve_case` and `resolve_cases` do it by themselves. Keep what comes back for as long as the case takes: a later
    version of the bars is for later cases. A policy without a risk budget, or with bars of its own, stays as it is.

    Args:
        policy: The policy, or the name of a saved block.
        task: What kind of case it is for.
        store: Where outcomes and bars are kept: `folder:` path, `s3://` URL, or the name of a saved block.

    Raises:
        ConfigError: If there is no such block.
        StoreError: If the bars cannot be read, after retries.
    """
    chosen = await policy_of(policy)
    if chosen.promise is None or chosen.calibrated is not None:
        return chosen
    source = await store_of(store)
    return chosen.with_calibrated(await patiently(lambda: asyncio.to_thread(newest, source, task), STORE_S))


def pin_policy(policy: Policy | str, *, task: str, store: str) -> Policy:
    """The same as `apin_policy`, for a flow that is not async."""
    return run_coro_as_sync(apin_policy(policy, task=task, store=store))
