"""What is worked out from all outcomes of a store that is named as in a flow."""

import asyncio

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.compacting import Compaction, compact
from hitl_prefect.configured import store_of
from hitl_prefect.gathering import gather
from hitl_prefect.protocols import Store
from hitl_prefect.reading import read_outcomes
from hitl_prefect.reviewer_figures import ReviewerReport
from hitl_prefect.reviewer_report import reviewer_report
from hitl_prefect.sealing import Sealing, seal
from hitl_prefect.trust_figures import TrustReport
from hitl_prefect.trust_report import trust_report

__all__ = [
    "acompact_outcomes",
    "areport_reviewers",
    "areport_trust",
    "aseal_outcomes",
    "compact_outcomes",
    "report_reviewers",
    "report_trust",
    "seal_outcomes",
]


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


async def areport_trust(store: str, *, task: str | None = None) -> TrustReport:
    """How far each task's machine can be trusted: risk against coverage, reliability, escaped errors, reviews avoided.

    Args:
        store: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Only the outcomes of one task.

    Raises:
        ConfigError: If there is no such store.
        StoreError: If the store is down, or lets nobody list.
    """
    source = await store_of(store)
    return await asyncio.to_thread(lambda: trust_report(gather(source, task)))


def report_trust(store: str, *, task: str | None = None) -> TrustReport:
    """The same as `areport_trust`, for a flow that is not async."""
    return run_coro_as_sync(areport_trust(store, task=task))


async def acompact_outcomes(store: str, *, task: str | None = None, dry_run: bool = False) -> Compaction:
    """Copy the outcomes of past days (UTC) into Parquet, for quick reading and for SQL; see `compacting.compact`.

    Args:
        store: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Only the outcomes of one task.
        dry_run: Only say what would be copied.

    Raises:
        ConfigError: If there is no such store.
        MissingExtra: If pyarrow is not installed.
        StoreError: If the store is down, or lets nobody list or write.
    """
    return await asyncio.to_thread(compact, await store_of(store), task=task, dry_run=dry_run)


def compact_outcomes(store: str, *, task: str | None = None, dry_run: bool = False) -> Compaction:
    """The same as `acompact_outcomes`, for a flow that is not async."""
    return run_coro_as_sync(acompact_outcomes(store, task=task, dry_run=dry_run))


async def aseal_outcomes(store: str, *, task: str | None = None, key: str | None = None) -> Sealing:
    """Name the outcomes of past days (UTC) in the ledger; see `sealing.seal`.

    Args:
        store: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Only the outcomes of one task.
        key: The name of the key that signs, as `hitl keys make` made it on this machine.

    Raises:
        ConfigError: If there is no such store or key.
        StoreError: If the store is down, lets nobody list or write, or its ledger is not as it was written.
    """
    from hitl_prefect.keys import private_key

    signer = private_key(key) if key else None
    return await asyncio.to_thread(seal, await store_of(store), task=task, key=signer)


def seal_outcomes(store: str, *, task: str | None = None, key: str | None = None) -> Sealing:
    """The same as `aseal_outcomes`, for a flow that is not async."""
    return run_coro_as_sync(aseal_outcomes(store, task=task, key=key))


def _report(source: Store, task: str | None) -> ReviewerReport:
    return reviewer_report(read_outcomes(source, task))
