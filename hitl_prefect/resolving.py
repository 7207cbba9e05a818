"""The whole way of one case: generate, score, route, review, store."""

import asyncio
from typing import Any, TypeVar

from prefect.runtime import flow_run
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue, ValidationError

from hitl_prefect.answers import answer_type, problems_of
from hitl_prefect.concluding import conclude, fallback_of
from hitl_prefect.configured import policy_of, provider_of, store_of
from hitl_prefect.desk import check_place, one_case_at_a_time, tag_run
from hitl_prefect.drafts import request_for
from hitl_prefect.errors import ConfigError
from hitl_prefect.forms import check_form
from hitl_prefect.frozen import Frozen
from hitl_prefect.generating import agenerate
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.judging import policy_scorer
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation, Route, Score, as_slug
from hitl_prefect.outcomes import Outcome, Review
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.reviewing import areview
from hitl_prefect.routing import check_rules, route
from hitl_prefect.scoring import PolicyScorer, check_scorers
from hitl_prefect.storing import afind_outcome, asave_outcome

__all__ = ["aresolve_case", "resolve_case"]

A = TypeVar("A")


class _Opened(Frozen):
    """What this flow run began with; it stays so when the code changes while a review waits."""

    case: Case
    policy: Policy
    model: str
    draft: Generation | None = None
    """A draft made before the run, such as a batch's: the model is not asked for attempt 1."""


class _Judged(Frozen):
    """What the machine thought of an attempt."""

    score: Score
    route: Route


async def aresolve_case(
    prompt: str | tuple[Message, ...],
    *,
    answer: type[A] = str,  # type: ignore[assignment]  # a plain answer is text
    model: str,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    case_id: str | None = None,
    metadata: dict[str, str | int | float | bool | None] | None = None,
    draft: Generation | None = None,
) -> Outcome[A]:
    """Resolve one case: the model answers, and a person decides where it is unsure.

    Args:
        prompt: What to ask, or the whole conversation.
        answer: The type of the answer: anything that pydantic can validate.
        model: `provider:name`, or the name of a saved block.
        task: What kind of case this is, as a slug: `invoices`.
        store: Where the outcome is kept: `folder:` path, `s3://` URL, or the name of a saved block.
        policy: The policy, or the name of a saved block. Without a bar a person sees every case.
        case_id: Names the case; one outcome per case and task: where another run has decided it, that outcome is
            returned and nobody is asked. Default: the flow run's id, for one case per run.
        metadata: Facts for people and reports; never sent to the model.
        draft: A draft of this very prompt that was made before, such as a batch's; the model is asked only where a
            reviewer wants another attempt.

    Returns:
        The stored outcome, its `final_answer` of the type asked for.

    Raises:
        ConfigError: If something that the review will need is missing; before the model is asked.
        ProviderError: If the model could not be asked, after retries.
        StoreError: If the outcome could not be stored, after retries; the decision is not lost, a retry finishes.
    """
    case = _case(prompt, answer=answer, task=task, case_id=case_id, metadata=metadata or {})
    chosen = await policy_of(policy)
    await _check(case, chosen, model=model, store=store)
    opening = _Opened(case=case, policy=chosen, model=model, draft=draft)
    async with open_journal(case) as journal:
        if journal is None:
            raise ConfigError("resolve_case needs a flow run: call it in the body of a function with @flow")
        async with one_case_at_a_time(journal.flow_run_id):
            outcome = await _resolve(journal, opening, store=store)
    return _typed(outcome, answer)


def resolve_case(
    prompt: str | tuple[Message, ...],
    *,
    answer: type[A] = str,  # type: ignore[assignment]  # a plain answer is text
    model: str,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    case_id: str | None = None,
    metadata: dict[str, str | int | float | bool | None] | None = None,
    draft: Generation | None = None,
) -> Outcome[A]:
    """The same as `aresolve_case`, for a flow that is not async."""
    return run_coro_as_sync(
        aresolve_case(
            prompt,
            answer=answer,
            model=model,
            task=task,
            store=store,
            policy=policy,
            case_id=case_id,
            metadata=metadata,
            draft=draft,
        )
    )


def _case(prompt: str | tuple[Message, ...], *, task: str, case_id: str | None, **facts: Any) -> Case:
    try:
        return Case(id=case_id or str(flow_run.id), task=task, prompt=prompt, **facts)
    except ValueError as exc:
        raise ConfigError(
            f"case {case_id!r} of task {task!r}: {exc}\nA case id holds letters, digits and ._- only; "
            f"a task is a slug such as {as_slug(task)!r}"
        ) from exc


async def _check(case: Case, policy: Policy, *, model: str, store: str) -> None:
    """Everything that can be wrong is found before the model is asked."""
    check_place()
    check_form(case.answer)
    check_rules(policy, case.answer)
    check_scorers(policy, (await provider_of(model)).name)
    await store_of(store)
    if policy.on_deadline == "fallback":
        fallback_of(case, policy)


async def _resolve(journal: Journal, opening: _Opened, *, store: str) -> Outcome[JsonValue]:
    if before := await _outcome_before(journal, opening.case, store):
        return before
    opened = await _open(journal, opening)
    outcome = journal.read("outcome", Outcome[JsonValue]) or await _decide(journal, opened)
    await asave_outcome(outcome, store=store)
    return outcome


async def _outcome_before(journal: Journal, case: Case, store: str) -> Outcome[JsonValue] | None:
    """What another run already decided about this case; it is not asked twice."""
    if journal.read("opened", _Opened) is not None:
        return None
    before = await afind_outcome(case.task, case.id, store=store)
    if before is not None and before.case.prompt_sha256 != case.prompt_sha256:
        raise ConfigError(
            f"case {case.id!r} of task {case.task!r} was decided on {before.decided_at:%Y-%m-%d} with another prompt: "
            "one case has one outcome; give this one another case_id"
        )
    return before


def _typed(outcome: Outcome[JsonValue], answer: type[A]) -> Outcome[A]:
    """The stored outcome with its final answer as the type asked for."""
    try:
        return Outcome[answer].model_validate_json(outcome.stored)  # type: ignore[valid-type]  # known at run time
    except ValidationError as exc:
        raise ConfigError(
            f"the outcome of case {outcome.case.id!r} is decided and stored, but its final answer does not fit today's "
            f"answer type: {'; '.join(problems_of(exc))}"
        ) from None


_prompts: dict[tuple[object, object, str], str] = {}
"""The prompt of each case that this process opened in this run of the flow."""


async def _open(journal: Journal, opening: _Opened) -> _Opened:
    case = opening.case
    here = (journal.flow_run_id, flow_run.run_count, journal.slug)
    if _prompts.setdefault(here, case.prompt_sha256) != case.prompt_sha256:
        raise ConfigError(f"this flow run already resolves another case of task {case.task!r}: give each a case_id")
    stands = journal.read("opened", _Opened)
    if stands is None:
        _check_draft(case, opening.draft)
        await tag_run(journal.client, journal.flow_run_id)
        stands = await journal.record("opened", opening)
    return stands.model_copy(update={"case": stands.case.model_copy(update={"answer": case.answer})})


def _check_draft(case: Case, draft: Generation | None) -> None:
    """Refuse a draft of something else, or one that a person could not approve.

    Raises:
        ConfigError: If it is one.
    """
    if draft is None:
        return
    if draft.prompt_sha256 != case.prompt_sha256 or draft.attempt != 1:
        raise ConfigError(
            f"case {case.id!r}: the draft is of another prompt, or no first attempt; pass the draft of this very "
            "prompt, or none"
        )
    if draft.status == "ok":
        try:
            answer_type(case.answer).from_json(draft.answer)
        except ValueError as exc:
            problems = "; ".join(problems_of(exc))
            raise ConfigError(f"case {case.id!r}: the draft's answer does not fit its type: {problems}") from None


async def _decide(journal: Journal, opened: _Opened) -> Outcome[JsonValue]:
    """Attempt after attempt until somebody or something decides."""
    attempts: list[Generation] = []
    reviews: list[Review] = []
    guidance = None
    while True:
        generation, judged = await _attempt(journal, opened, attempts[-1] if attempts else None, guidance)
        attempts.append(generation)
        if judged.route.action == "review":
            reviews.append(await _review(opened, attempts[-1], judged, reviews))
        guidance = _asked_again(reviews)
        if guidance is None:
            return await journal.record("outcome", _concluded(opened, attempts, judged, reviews))


async def _review(opened: _Opened, generation: Generation, judged: _Judged, reviews: list[Review]) -> Review:
    """Ask about the last attempt; who it was escalated to before is asked again."""
    return await areview(
        opened.case,
        generation,
        judged.score,
        judged.route,
        policy=opened.policy,
        escalated=any(one.escalated for one in reviews),
    )


async def _attempt(
    journal: Journal, opened: _Opened, earlier: Generation | None, guidance: str | None
) -> tuple[Generation, _Judged]:
    """A draft and what the machine thinks of it; what the scorers ask whatever the draft says is asked beside it."""
    case, number = opened.case, earlier.attempt + 1 if earlier else 1
    request = request_for(case, guidance=guidance, earlier=earlier)
    scorer = await policy_scorer(case, request, opened.policy, opened.model, journal)
    beside = asyncio.ensure_future(_nothing() if journal.read(f"judged-{number}", _Judged) else scorer.ahead(case))
    try:
        if opened.draft and number == 1:
            generation = opened.draft
        else:
            generation = await agenerate(case, model=opened.model, guidance=guidance, earlier=earlier)
        return generation, await _judge(journal, opened, scorer, generation)
    finally:
        beside.cancel()


async def _nothing() -> None:
    """What is judged already asks nobody."""


async def _judge(journal: Journal, opened: _Opened, scorer: PolicyScorer, generation: Generation) -> _Judged:
    step = f"judged-{generation.attempt}"
    if judged := journal.read(step, _Judged):
        return judged
    scored = await scorer.score(opened.case, generation)
    routed = route(opened.case, generation, scored, policy=opened.policy)
    if generation.attempt > 1:
        routed = _back_to_reviewer(routed)
    return await journal.record(step, _Judged(score=scored, route=routed))


def _back_to_reviewer(routed: Route) -> Route:
    """Who asked for another attempt sees it, however sure the model is."""
    if routed.action == "review":
        return routed
    asked = {"action": "review", "reason": "rule", "detail": "a reviewer asked for this attempt", "propensity": 1.0}
    return routed.model_copy(update=asked)


def _asked_again(reviews: list[Review]) -> str | None:
    """The guidance of the last verdict, where it asks for another attempt."""
    last = reviews[-1].verdicts[-1] if reviews and reviews[-1].verdicts else None
    if last is None or last.decision != "retry" or reviews[-1].deadline_passed_at:
        return None
    return last.guidance


def _concluded(
    opened: _Opened, attempts: list[Generation], judged: _Judged, reviews: list[Review]
) -> Outcome[JsonValue]:
    return conclude(
        opened.case,
        attempts[-1],
        judged.score,
        judged.route,
        _joined(reviews),
        policy=opened.policy,
        earlier=attempts[:-1],
    )


def _joined(reviews: list[Review]) -> Review | None:
    """The reviews of all attempts as one."""
    if not reviews:
        return None
    return reviews[-1].model_copy(
        update={
            "verdicts": tuple(verdict for one in reviews for verdict in one.verdicts),
            "refused_answers": tuple(answer for one in reviews for answer in one.refused_answers),
            "escalated": any(one.escalated for one in reviews),
        }
    )
