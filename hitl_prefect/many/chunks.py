"""A Prefect task per chunk of cases: draft, score, route, store what is accepted, and open what needs a person."""

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import TaskRun

from hitl_prefect.abreast import abreast
from hitl_prefect.errors import BudgetSpent, HitlError
from hitl_prefect.many.batch import Batch
from hitl_prefect.many.choosing import choose, waits_for_the_end
from hitl_prefect.many.drafting import draft_at
from hitl_prefect.many.ledger import BEFORE, Kept, State
from hitl_prefect.many.reviews import conclude_rest, open_chosen, open_within
from hitl_prefect.many.storing import store_kept

__all__ = ["resolve_chunks"]

# Not a parameter of the tasks: Prefect keeps what a task is given, and a ledger is no data.
_batch: ContextVar[Batch] = ContextVar("hitl_batch")


@contextmanager
def _at(batch: Batch) -> Iterator[None]:
    token = _batch.set(batch)
    try:
        yield
    finally:
        _batch.reset(token)


def _can_help(task: object, task_run: TaskRun, state: RunState) -> bool:  # noqa: ARG001 - Prefect passes all three
    """A retry goes on where the ledger says; it helps where the store or Prefect's server was away."""
    failure = state.data
    return isinstance(failure, httpx.HTTPError) or (isinstance(failure, HitlError) and failure.retryable)


_patiently: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 4,
    "retry_delay_seconds": [1, 4, 15, 60],
    "retry_condition_fn": _can_help,
}


async def resolve_chunks(batch: Batch) -> None:
    """Resolve every case that nothing has come of yet, so many chunks at a time that the lanes are never idle.

    Raises:
        BudgetSpent: If the batch has spent the policy's `max_cost_usd`.
        ProviderError: If many cases failed one after the other.
        StoreError, ReviewError: If an outcome could not be stored, or a review not be opened, after retries.
    """
    with _at(batch):
        waiting = batch.ledger.chunks(batch.wanted.chunk)
        # One drafts, one more so that no lane is idle at its end, and one whose outcomes are still being stored.
        lanes = 2 + math.ceil(batch.wanted.in_flight / batch.wanted.chunk)
        await abreast([_one_after_the_other(batch, waiting) for _ in range(lanes)])
        if batch.lanes.stopped:
            get_run_logger().error("stopped, and no further case was begun: %s", batch.lanes.why)
            raise batch.lanes.stopped
        await finish_reviews()


async def _one_after_the_other(batch: Batch, waiting: Iterator[tuple[int, int]]) -> None:
    for first, last in waiting:
        if batch.lanes.stopped:
            return
        try:
            await resolve_chunk(first, last)
        except Exception as exc:  # noqa: BLE001 - raised once the answers under way, which are paid for, are kept
            batch.lanes.stop(exc)


_WORDS: dict[State, str] = {
    "drafted": "for people",
    "decided_before": "decided elsewhere",
    "rejected_before": "rejected elsewhere",
    "forgotten": "forgotten",
    "waiting": "not asked about",
}


@task(name="resolve_chunk", task_run_name="cases {first} to {last}", **_patiently)
async def resolve_chunk(first: int, last: int) -> None:
    """Resolve the cases of a chunk that nothing has come of yet."""
    batch = _batch.get()
    under_way: list[asyncio.Task[tuple[int, State]]] = []
    try:
        async for kept in _cases(batch, first, last):
            under_way.append(asyncio.create_task(_resolve(batch, kept)))  # noqa: PERF401 - they stay where a later one fails
    except asyncio.CancelledError:
        for one in under_way:
            one.cancel()
        raise
    finally:
        came = await asyncio.gather(*under_way, return_exceptions=True)
    counts = _settle(batch, [one for one in came if not isinstance(one, BaseException)])
    if failures := [one for one in came if isinstance(one, BaseException)]:
        raise failures[0]
    if not waits_for_the_end(batch):
        await open_within(batch, first, last)
    words = ", ".join(f"{count} {_WORDS.get(state, state)}" for state, count in sorted(counts.items()))
    get_run_logger().info("cases %d to %d: %s", first, last, words or "nothing left to do")


async def _cases(batch: Batch, first: int, last: int) -> AsyncIterator[Kept]:
    """The cases of a chunk, each when there is a lane for it."""
    for kept in batch.ledger.open_cases(first, last):
        if not await batch.lanes.enter():
            return
        yield kept


def _settle(batch: Batch, came: Sequence[tuple[int, State]]) -> dict[State, int]:
    """Say in the ledger what is stored, a chunk at a time: after a crash in between it is stored again, unchanged."""
    by_state: dict[State, list[int]] = defaultdict(list)
    for place, state in came:
        by_state[state].append(place)
    for state in ("accepted", *BEFORE):
        batch.ledger.settle(by_state.get(state, []), state)
    return {state: len(places) for state, places in by_state.items()}


async def _resolve(batch: Batch, waiting: Kept) -> tuple[int, State]:
    """What comes of one case; the lane is free once it is drafted, since the store has lanes of its own."""
    try:
        kept = await draft_at(batch, waiting)
        batch.lanes.went_well()
    except BudgetSpent as exc:
        batch.lanes.stop(exc)
        return waiting.place, "waiting"
    except HitlError as exc:
        batch.lanes.went_wrong(exc)
        batch.ledger.settle([waiting.place], "failed", f"{type(exc).__name__}: {exc}")
        return waiting.place, "failed"
    finally:
        batch.lanes.leave()
    return kept.place, "drafted" if kept.outcome is None else await store_kept(batch, kept, "accepted")


@task(name="open_reviews", **_patiently)
async def finish_reviews() -> None:
    """Open what was chosen before a crash, choose among what waited for the last draft, and open that."""
    batch = _batch.get()
    await open_chosen(batch)
    if waits_for_the_end(batch):
        await choose(batch)
        await open_chosen(batch)
    # Whatever the policy: an outcome that an earlier run made under another one is still to be stored.
    await conclude_rest(batch)
