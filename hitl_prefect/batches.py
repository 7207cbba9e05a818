"""Submit cases in batches and fetch what came of them: steps for a Prefect flow, and for any other program.

Nothing waits in between. Who submits ends; a scheduled flow fetches.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import Field

from hitl_prefect.batch_protocol import Batches, BatchLook, BatchProvider
from hitl_prefect.batch_records import BatchRecord, Drafts, Submission, records
from hitl_prefect.batching import SubmittedBatch, answer_types, check_ids, fetch, place, plan, split
from hitl_prefect.configured import provider_of, store_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Generation
from hitl_prefect.protocols import Store

__all__ = [
    "FetchedBatch",
    "ReadyCase",
    "afetch_batches",
    "asubmit_batch",
    "fetch_batches",
    "submit_batch",
]

_AT_A_TIME = 8
"""Cases that are handed over side by side."""


class ReadyCase(Frozen):
    """A case whose batch has ended."""

    key: str
    """The same however often the batch is fetched: an idempotency key for whatever is started with it."""
    case: Case
    model: str
    """Who was asked; and who is to be asked where there is no draft."""
    draft: Generation | None
    """What the model returned; `None` where its request failed or expired, and it has to be asked at once."""
    problem: str = ""
    """Why there is no draft."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The answers to choose from; empty where the answer is no choice between texts."""
        answer = self.case.answer
        return get_args(answer) if get_origin(answer) is Literal else ()


T = TypeVar("T")
HandOver = Callable[[ReadyCase], Awaitable[object] | object]


class FetchedBatch(Frozen):
    """What fetching made of one open batch."""

    key: str
    model: str = ""
    status: Literal["processing", "in_doubt", "not_submitted", "no_answer_type", "handed_over"]
    requests: int = Field(default=0, ge=0)
    drafts: int = Field(default=0, ge=0)
    """Cases with a draft; the other ones have to be asked at once."""
    detail: str = ""


async def asubmit_batch(
    cases: Sequence[Case], *, model: str, store: str, dry_run: bool = False
) -> tuple[SubmittedBatch, ...]:
    """Submit cases to the provider's batch endpoint, at most once however often it is called.

    The same cases and model are the same batch, also in another process and after a crash. More than a batch may hold
    is split into several.

    Args:
        cases: What to ask; one case per id and task.
        model: `provider:name`, or the name of a saved block.
        store: Where batches are kept until they are fetched: `folder:` path, `s3://` URL, or the name of a block. The
            prompts stand there too.
        dry_run: Submit nothing, and say what would be sent.

    Returns:
        How each batch stands. One that is `in_doubt` is looked after by `fetch_batches`.

    Raises:
        ConfigError: If the provider has no batch endpoint or an id occurs twice; before anything is submitted.
        ProviderError: If the provider refused, or gave no answer; submit again, nothing is submitted twice.
        StoreError: The same, for the store.
    """
    check_ids(cases)
    _, batches = await _batches_of(model)
    parts = split(cases, batches, model)
    if dry_run:
        return tuple(plan(part, typed, batches) for part, typed in parts)
    kept = await store_of(store)
    for part, _ in parts:
        await BatchRecord(kept, part.key).open(part)
    return tuple([await _place(kept, part, typed, batches) for part, typed in parts])


async def _place(kept: Store, part: Submission, typed: Sequence[Case], batches: Batches) -> SubmittedBatch:
    async def claimed() -> frozenset[str]:
        opened, closed = await records(kept)
        return await _claimed([one for one in (*opened, *closed) if one.key != part.key])

    return await place(BatchRecord(kept, part.key), part, typed, batches, claimed=claimed)


def submit_batch(cases: Sequence[Case], *, model: str, store: str, dry_run: bool = False) -> tuple[SubmittedBatch, ...]:
    """The same as `asubmit_batch`, for a flow that is not async."""
    return run_coro_as_sync(asubmit_batch(cases, model=model, store=store, dry_run=dry_run))


async def afetch_batches(*, store: str, then: HandOver, answers: Sequence[Any] = ()) -> tuple[FetchedBatch, ...]:
    """Fetch every open batch that has ended, and hand over its cases.

    Drafts are kept in the store before any is handed over. A batch is closed when all of its cases were handed over;
    after a crash they are handed over once more, each with the same `key`.

    Args:
        store: Where the batches were submitted from.
        then: Called with each case, at least once, some at a time; may be async. What it raises leaves the batch open.
        answers: The answer types of the cases, but for texts, numbers, truth values and choices, which are known.

    Returns:
        What became of each batch that was open.

    Raises:
        ExceptionGroup: What failed, after all other batches were fetched; it is tried again the next time.
    """
    kept = await store_of(store)
    opened, closed = await records(kept)
    done: list[FetchedBatch] = []
    failed: list[Exception] = []
    for record in opened:
        others = [one for one in (*opened, *closed) if one is not record]
        await _collect(_fetch(record, others, then, answers), done, failed)
    if failed:
        raise ExceptionGroup(f"{len(failed)} of {len(opened)} open batches in {kept.url} failed", failed)
    return tuple(done)


def fetch_batches(*, store: str, then: HandOver, answers: Sequence[Any] = ()) -> tuple[FetchedBatch, ...]:
    """The same as `afetch_batches`, for a flow that is not async."""
    return run_coro_as_sync(afetch_batches(store=store, then=then, answers=answers))


async def _collect(work: Awaitable[T], done: list[T], failed: list[Exception]) -> None:
    """Whatever goes wrong with one batch or case, the others go on."""
    [came] = await asyncio.gather(work, return_exceptions=True)
    if isinstance(came, Exception):
        failed.append(came)
    elif isinstance(came, BaseException):
        raise came
    else:
        done.append(came)


async def _fetch(
    record: BatchRecord, others: Sequence[BatchRecord], then: HandOver, answers: Sequence[Any]
) -> FetchedBatch:
    submission = await record.submission()
    cases = submission.typed(answer_types(submission, answers))
    if cases is None:
        return _told(submission, "no_answer_type", "pass the answer type of its cases in `answers`")
    if not await record.placed() and not await _was_begun(record):
        return _told(submission, "not_submitted", "it was refused, or its submission stopped early; submit it again")
    provider, batches = await _batches_of(submission.model)
    standing = await place(record, submission, cases, batches, claimed=lambda: _claimed(others))
    if standing.batch_id is None:
        return _told(submission, "in_doubt", standing.detail)
    found = await fetch(record, submission, cases, batches, provider=provider.name)
    if isinstance(found, BatchLook):
        return _told(submission, "processing", f"{provider.name} batch {standing.batch_id} is {found.status}")
    await _hand_over(submission, cases, found, then)
    await record.close(len(cases))
    drafts = sum(one.draft is not None for one in found.drafts)
    strange = f"{found.strange} lines of its results could not be matched" if found.strange else ""
    return _told(submission, "handed_over", strange).model_copy(update={"drafts": drafts})


async def _was_begun(record: BatchRecord) -> bool:
    """Whether somebody set out to submit it and may have succeeded; only then nobody has to be asked again."""
    turns = await record.turns()
    return bool(turns) and not turns[-1][1]


async def _hand_over(submission: Submission, cases: Sequence[Case], found: Drafts, then: HandOver) -> None:
    ready = [
        ReadyCase(
            key=f"hitl-batch-{submission.key[:24]}-{at}",
            case=case,
            model=submission.model,
            draft=one.draft,
            problem=one.problem,
        )
        for at, (case, one) in enumerate(zip(cases, found.drafts, strict=True))
    ]
    failed: list[Exception] = []
    for start in range(0, len(ready), _AT_A_TIME):
        few = ready[start : start + _AT_A_TIME]
        await asyncio.gather(*(_collect(_call(then, one), [], failed) for one in few))
    if failed:
        raise ExceptionGroup(f"{len(failed)} cases of batch {submission.key[:12]} were not handed over", failed)


async def _call(then: HandOver, ready: ReadyCase) -> object:
    # In a thread: a function that is not async may block, and Prefect's own are async where a loop runs.
    came = await asyncio.to_thread(then, ready)
    return await came if isinstance(came, Awaitable) else came


def _told(submission: Submission, status: Any, detail: str) -> FetchedBatch:
    requests = len(submission.cases)
    return FetchedBatch(key=submission.key, model=submission.model, status=status, requests=requests, detail=detail)


async def _batches_of(model: str) -> tuple[BatchProvider, Batches]:
    provider = await provider_of(model)
    if not isinstance(provider, BatchProvider):
        raise ConfigError(f"{model!r} has no batch endpoint; name a model of openai or anthropic")
    return provider, provider.batches()


async def _claimed(others: Sequence[BatchRecord]) -> frozenset[str]:
    placed = [await one.placed() for one in others]
    return frozenset(one.id for one in placed if one)
