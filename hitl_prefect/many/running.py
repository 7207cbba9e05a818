"""Thousands of cases in one flow run, which ends without waiting for anybody."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.context import AsyncClientContext
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.collecting import left_alone
from hitl_prefect.configured import policy_of, store_of
from hitl_prefect.detached.batch_rows import abegin_batch
from hitl_prefect.detached.deployment import POOL
from hitl_prefect.many.asked import pass_over_asked
from hitl_prefect.many.batch import Batch, Wanted
from hitl_prefect.many.checking import check, check_flow_run
from hitl_prefect.many.chunks import resolve_chunks
from hitl_prefect.many.dry import foretell
from hitl_prefect.many.ending import end, summary_of
from hitl_prefect.many.known import pass_over_decided
from hitl_prefect.many.lanes import Lanes
from hitl_prefect.many.ledger import Ledger
from hitl_prefect.many.pinning import keep, pinned
from hitl_prefect.many.progress import Progress
from hitl_prefect.many.purse import Purse
from hitl_prefect.many.scanning import Scanned, scan
from hitl_prefect.many.writers import Writers
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.sources import Source

__all__ = ["aresolve_cases", "resolve_cases"]


async def aresolve_cases(
    source: Source,
    *,
    task: str,
    model: str,
    store: str,
    answer: Any = str,
    instructions: str = "",
    policy: Policy | str = REVIEW_ALL,
    batch: str | None = None,
    chunk: int = 200,
    in_flight: int = 64,
    set_aside: str | Path | None = None,
    work_pool: str = POOL,
    dry_run: bool = False,
) -> BatchSummary:
    """Resolve many cases: the model answers all, and those that it is unsure of become reviews of their own.

    Nobody waits: each review is a flow run that was created suspended. A run that was killed is started again with the
    same cases, or retried, and goes on where it was.

    Args:
        source: A path or `s3://` URL of JSONL, CSV or Parquet, or an iterable of cases: see `read_cases`.
        task: What kind of cases these are, as a slug: `invoices`.
        model: `provider:name`, or the name of a saved block.
        store: Where outcomes are kept: `folder:` path, `s3://` URL, or the name of a saved block.
        answer: The type of the answers: anything that pydantic can validate and another process can import.
        instructions: The system prompt of all cases.
        policy: The policy, or the name of a saved block. Without a bar a person sees every case.
        batch: Names the batch. By default its cases, task, model, store and answer type do.
        chunk: Cases per Prefect task.
        in_flight: Cases under way at once, at least 1.
        set_aside: The file for lines that tell no case; by default beside a local source, else beside the ledger.
        work_pool: Where reviews go on once somebody has answered: the pool of `hitl worker`.
        dry_run: Read everything and ask nobody: the summary says how many cases there are, and foretells the cost.

    Returns:
        What became of the cases, in numbers that add up.

    Raises:
        ConfigError: If something is missing or cannot be honoured, or an id occurs twice; before the model is asked.
        BudgetSpent: If the batch has spent the policy's `max_cost_usd`; with a higher one it goes on.
        ProviderError: If no case could be asked about, or many failed one after the other.
        StoreError: If an outcome could not be stored, after retries.
        ReviewError: If a review could not be opened, after retries.
    """
    check_flow_run()
    # One client for all tasks: in a flow that is not async each would make its own, which takes 60 ms.
    async with AsyncClientContext.get_or_create() as connected:
        wanted = Wanted(task, model, store, answer, await policy_of(policy), chunk, in_flight, work_pool)
        await check(wanted, batch)
        scanned = await asyncio.to_thread(scan, source, wanted, instructions=instructions, batch=batch, aside=set_aside)
        if scanned.bad_lines:
            get_run_logger().warning("%d lines tell no case: set aside in %s", scanned.bad_lines, scanned.aside)
        target = await store_of(store)
        with Ledger(scanned.path, answer) as ledger, Writers(target) as writers, left_alone():
            begun = await _opened(
                connected.client, scanned, await pinned(wanted, ledger), ledger=ledger, writers=writers
            )
            return await _resolve(connected.client, begun, scanned, dry_run=dry_run)


def resolve_cases(
    source: Source,
    *,
    task: str,
    model: str,
    store: str,
    answer: Any = str,
    instructions: str = "",
    policy: Policy | str = REVIEW_ALL,
    batch: str | None = None,
    chunk: int = 200,
    in_flight: int = 64,
    set_aside: str | Path | None = None,
    work_pool: str = POOL,
    dry_run: bool = False,
) -> BatchSummary:
    """The same as `aresolve_cases`, for a flow that is not async."""
    return run_coro_as_sync(
        aresolve_cases(
            source,
            task=task,
            model=model,
            store=store,
            answer=answer,
            instructions=instructions,
            policy=policy,
            batch=batch,
            chunk=chunk,
            in_flight=in_flight,
            set_aside=set_aside,
            work_pool=work_pool,
            dry_run=dry_run,
        )
    )


async def _opened(
    client: PrefectClient, scanned: Scanned, wanted: Wanted, *, ledger: Ledger, writers: Writers
) -> Batch:
    ledger.begin()
    return Batch(
        name=scanned.batch,
        run_id=await _run_of(client, ledger),
        wanted=wanted,
        ledger=ledger,
        writers=writers,
        lanes=Lanes(wanted.in_flight),
        purse=Purse(wanted.policy.max_cost_usd, spent_usd=ledger.cost_usd() or 0),
    )


async def _run_of(client: PrefectClient, ledger: Ledger) -> str:
    """The flow run that the batch's reviews name: the one that began it, unless it was deleted."""
    began = ledger.read_fact("run_id")
    if began is not None:
        with suppress(ObjectNotFound):
            return str((await client.read_flow_run(UUID(began))).id)
    return str(flow_run.id)


async def _resolve(client: PrefectClient, batch: Batch, scanned: Scanned, *, dry_run: bool) -> BatchSummary:
    await pass_over_asked(client, batch)
    await pass_over_decided(batch)
    if dry_run:
        return await foretell(batch, scanned.bad_lines)
    batch.ledger.write_fact("run_id", batch.run_id)
    await abegin_batch(client, UUID(batch.run_id), batch.name)
    keep(batch)
    async with Progress(client, UUID(str(flow_run.id)), batch) as progress:
        await resolve_chunks(batch)
        seconds = progress.seconds
    return await end(client, batch, summary_of(batch, scanned.bad_lines, seconds))
