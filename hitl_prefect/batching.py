"""Batches: half the price, an answer within a day, and never the same batch twice.

The rule that keeps two processes, or one that died and its successor, from submitting the same cases twice:

1. Whoever wants to make a batch at the provider first takes a turn in the store, which lets one process have it. It
   begins its one call within two minutes and gives it up after ten more; it notes the provider's id, or that the
   provider certainly refused.
2. Whoever finds a turn that is not its own looks for the batch at the provider, and notes the id where it is there.
3. A further turn may be taken only where the provider shows no batch of ours, none that may still turn out to be
   ours, and the last turn is over or began more than 15 minutes ago.
4. Should all the same two batches exist (clocks that disagree by more than three minutes), the first noted counts and
   the other one is cancelled.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from pydantic import Field

from hitl_prefect.answers import answer_type
from hitl_prefect.batch_protocol import Batches, BatchLook, BatchResult, FoundBatches, SoughtBatch, custom_id
from hitl_prefect.batch_records import BatchRecord, Draft, Drafts, Submission, Turn
from hitl_prefect.canonical import sha256_of
from hitl_prefect.drafts import generation_of, request_for
from hitl_prefect.errors import ConfigError, ProviderDenied, ProviderUnavailable, RateLimited
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case

__all__ = ["SubmittedBatch", "answer_types", "check_ids", "fetch", "place", "plan", "split"]

_BEGIN = timedelta(minutes=2)
_CLOCKS = timedelta(minutes=10)
"""How much older than our note a batch may seem by the provider's clock."""
_BYTES_PER_TOKEN = 4

Clock = Callable[[], datetime]
Claimed = Callable[[], Awaitable[frozenset[str]]]


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class SubmittedBatch(Frozen):
    """How one batch stands."""

    key: str
    """Names the batch: sha256 over model and cases."""
    status: Literal["planned", "submitted", "found", "already", "in_doubt", "not_submitted"]
    """`found`: it was at the provider, though nobody had noted it. `in_doubt`: another process submits it, or died."""
    requests: int = Field(ge=1)
    size_bytes: int | None = None
    tokens: int | None = None
    """Input tokens, estimated at four bytes each."""
    batch_id: str | None = None
    """The provider's id."""
    detail: str = ""


def check_ids(cases: Sequence[Case]) -> None:
    """Refuse two cases with the same id and task.

    Raises:
        ConfigError: If there are any, or there is no case at all.
    """
    counted = Counter((one.task, one.id) for one in cases)
    twice = [case_id for (_, case_id), times in counted.items() if times > 1]
    if twice:
        names = ", ".join(map(repr, twice[:5]))
        raise ConfigError(f"{len(twice)} case ids occur twice: {names}; nothing was submitted: give each its own")
    if not cases:
        raise ConfigError("there are no cases to submit")


def split(cases: Sequence[Case], batches: Batches, model: str) -> list[tuple[Submission, tuple[Case, ...]]]:
    """As few submissions as the provider's limits allow; the same cases are always split the same way.

    Raises:
        ConfigError: If one case alone is too large.
    """
    parts: list[list[Case]] = [[]]
    size = 0
    for case in cases:
        more = len(batches.line(custom_id("0" * 64, 10**5), request_for(case))) + 1
        if more > batches.limits.size_bytes:
            raise ConfigError(f"case {case.id!r} has {more:,} bytes, more than a whole batch may have: shorten it")
        if len(parts[-1]) == batches.limits.requests or size + more > batches.limits.size_bytes:
            parts.append([])
            size = 0
        parts[-1].append(case)
        size += more
    return [(Submission.of(tuple(part), model), tuple(part)) for part in parts]


def plan(submission: Submission, cases: Sequence[Case], batches: Batches) -> SubmittedBatch:
    """What would be sent."""
    lines = _lines(submission.key, cases, batches)
    size = sum(len(line) + 1 for line in lines)
    text = sum(len(one.text.encode(errors="replace")) for case in cases for one in case.messages)
    schemas = sum(len(str(answer_type(case.answer).json_schema)) for case in cases)
    tokens = (text + schemas) // _BYTES_PER_TOKEN
    return _standing(submission, "planned").model_copy(update={"size_bytes": size, "tokens": tokens})


async def place(
    record: BatchRecord,
    submission: Submission,
    cases: Sequence[Case],
    batches: Batches,
    *,
    claimed: Claimed,
    now: Clock = utc_now,
) -> SubmittedBatch:
    """Make the batch at the provider, unless it is there or may be there.

    Args:
        record: Its record in the store; the submission stands there.
        submission: What to ask.
        cases: The same with their answer types.
        batches: Whom to ask.
        claimed: Finds the provider's ids of all other batches that we know of.
        now: The time.

    Raises:
        ProviderError, StoreError: What was done is in the record, and the next call goes on from there.
    """
    if placed := await record.placed():
        return _standing(submission, "already", placed.id)
    turns = await record.turns()
    if turns and (standing := await _left_behind(record, submission, turns, batches, claimed, now)):
        return standing
    await batches.prepare()
    lines = _lines(submission.key, cases, batches)
    uploaded = await batches.upload(submission.key, lines)
    turn = Turn(number=len(turns) + 1, owner=uuid4().hex, at=now())
    if not await record.take(turn):
        return _standing(submission, "in_doubt", detail="another process has just begun to submit it")
    if now() > turn.at + _BEGIN:
        await record.over(turn)
        return _standing(submission, "not_submitted", detail="the store took too long; submit it again")
    return await _noted(record, submission, await _create(record, turn, lines, uploaded, batches), batches)


async def _left_behind(
    record: BatchRecord,
    submission: Submission,
    turns: Sequence[tuple[Turn, bool]],
    batches: Batches,
    claimed: Claimed,
    now: Clock,
) -> SubmittedBatch | None:
    """What became of the turns of others; `None` where the next one may be taken."""
    if all(over for _, over in turns):
        return None
    seen_at = now()  # before we look: what is made while we look must not be missed
    since = turns[0][0].at - _CLOCKS
    sought = SoughtBatch(key=submission.key, requests=len(submission.cases), since=since, claimed=await claimed())
    found = await batches.find(sought)
    if found.ids:
        return await _first_of(record, submission, found, batches)
    if found.doubtful:
        waits = f"batch {found.doubtful[0]} of the same size is under way and may be ours; it shows when it has ended"
        return _standing(submission, "in_doubt", detail=waits)
    last, over = turns[-1]
    if not over and last.holds(seen_at):
        waits = f"a process began to submit it at {last.at:%H:%M:%S} UTC and has not finished; it has 15 minutes"
        return _standing(submission, "in_doubt", detail=waits)
    return None


async def _first_of(
    record: BatchRecord, submission: Submission, found: FoundBatches, batches: Batches
) -> SubmittedBatch:
    first, *others = found.ids
    for other in others:
        await batches.cancel(other)
    noted = await _noted(record, submission, first, batches)
    return noted.model_copy(update={"status": "found"}) if noted.status == "submitted" else noted


async def _create(
    record: BatchRecord, turn: Turn, lines: Sequence[bytes], uploaded: str | None, batches: Batches
) -> str:
    try:
        return await batches.create(record.key, lines, uploaded)
    except (ConfigError, ProviderDenied, RateLimited):
        await record.over(turn)
        raise


async def _noted(record: BatchRecord, submission: Submission, batch_id: str, batches: Batches) -> SubmittedBatch:
    if await record.place(batch_id):
        return _standing(submission, "submitted", batch_id)
    stands = await record.placed()
    await batches.cancel(batch_id)
    return _standing(submission, "already", stands.id if stands else None, f"batch {batch_id} was one too many")


async def fetch(
    record: BatchRecord, submission: Submission, cases: Sequence[Case], batches: Batches, *, provider: str
) -> Drafts | BatchLook:
    """What came of each case of a placed batch, kept in the store; how it stands where it has not ended.

    Args:
        record: The batch's record.
        submission: What was asked.
        cases: The same with their answer types.
        batches: Who was asked.
        provider: Its name.

    Raises:
        ProviderError, StoreError: Nothing is lost; the next call begins again.
    """
    if kept := await record.drafts():
        return _complete(kept, submission)
    placed = await record.placed()
    if placed is None:
        raise ConfigError(f"batch {record.key[:12]} was not submitted yet; there is nothing to fetch")
    look = await batches.look(placed.id)
    if not look.ended:
        return look
    results: dict[int, BatchResult] = {}
    strange = 0
    async with aclosing(batches.results(placed.id)) as lines:
        async for result in lines:
            index = _place_of(result.custom_id, submission)
            if index is None or index in results:
                strange += 1
            else:
                results[index] = result
    came = len(results) + strange
    if look.results is not None and 0 < came < look.results:  # none: the provider has deleted them
        # Kept as it is it would be final, and what is missing would be paid for again.
        told = f"{came} of {look.results} results came from {provider}"
        raise ProviderUnavailable(f"batch {record.key[:12]}: {told}; it is fetched again next time")
    drafts = tuple(_draft(case, results.get(index), look, provider) for index, case in enumerate(cases))
    return await record.keep(Drafts(drafts=drafts, strange=strange))


def _complete(kept: Drafts, submission: Submission) -> Drafts:
    if len(kept.drafts) != len(submission.cases):
        raise ConfigError(
            f"batch {submission.key[:12]} has {len(submission.cases)} cases and {len(kept.drafts)} drafts: its "
            "drafts.json was changed; delete that object, and they are fetched again"
        )
    return kept


def _draft(case: Case, result: BatchResult | None, look: BatchLook, provider: str) -> Draft:
    if result is None:
        return Draft(draft=None, problem=f"no result in a batch that is {look.status}")
    if result.reply is None:
        return Draft(draft=None, problem=result.problem)
    try:
        draft = generation_of(result.reply, case, provider=provider, batch=True)
    except ValueError:  # One odd line must not hold up all the others.
        return Draft(draft=None, problem="the reply cannot be read")
    # Not the time of fetching: fetched twice it is the same draft.
    return Draft(draft=draft.model_copy(update={"created_at": look.ended_at or draft.created_at}))


def _lines(key: str, cases: Sequence[Case], batches: Batches) -> list[bytes]:
    return [batches.line(custom_id(key, index), request_for(case)) for index, case in enumerate(cases)]


def _place_of(name: str | None, submission: Submission) -> int | None:
    """The place of a case, by what its request was called; `None` where it is none of ours."""
    found = re.fullmatch(rf"{custom_id(submission.key, '')}(0|[1-9][0-9]{{0,5}})", name or "")
    return int(found[1]) if found and int(found[1]) < len(submission.cases) else None


def _standing(submission: Submission, status: Any, batch_id: str | None = None, detail: str = "") -> SubmittedBatch:
    return SubmittedBatch(
        key=submission.key, status=status, requests=len(submission.cases), batch_id=batch_id, detail=detail
    )


def answer_types(submission: Submission, known: Sequence[Any]) -> dict[str, Any]:
    """The answer types of a submission, by the sha256 of their JSON schema.

    Text, numbers, truth values and choices come back from the schema alone; any other type is looked for in `known`.
    """
    given = {sha256_of(answer_type(one).json_schema): one for one in known}
    plain = {name: _plain(schema) for name, schema in submission.schemas.items()}
    return {name: one for name, one in plain.items() if one is not None} | given


def _plain(schema: dict[str, Any]) -> Any:
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    choices = isinstance(values, list) and values and all(isinstance(one, str | int | bool) for one in values)
    candidates: list[Any] = [Literal[tuple(values)]] if choices else [str, bool, int, float]
    return next((one for one in candidates if answer_type(one).json_schema == schema), None)
