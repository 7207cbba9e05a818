"""The report on reviewers, from a store that is named as in a flow."""

import asyncio

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.configured import store_of
from hitl_prefect.protocols import Store
from hitl_prefect.reading import read_outcomes
from hitl_prefect.reviewer_figures import ReviewerReport
from hitl_prefect.reviewer_report import reviewer_report

__all__ = ["areport_reviewers", "report_reviewers"]


async def areport_reviewers(store: str, *, task: str | None = None) -> ReviewerReport:
    """How people review: overriding, agreement, mistakes let pass, anchoring, time; per reviewer and task.

    Reads every stored outcome, a few at a time. An object that cannot be read is named in `unreadable`.

    Args:
        store: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Only the outcomes of one task.

    Raises:
        ConfigError: If there is no such store.
        StoreError: If the store is down, or lets nobody list.
    """
    return await asyncio.to_thread(_report, await store_of(store), task)


def report_reviewers(store: str, *, task: str | None = None) -> ReviewerReport:
    """The same as `areport_reviewers`, for a flow that is not async."""
    return run_coro_as_sync(areport_reviewers(store, task=task))


def _report(source: Store, task: str | None) -> ReviewerReport:
    return reviewer_report(read_outcomes(source, task))
