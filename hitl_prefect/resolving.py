"""The whole way of one case: generate, score, route, review, store."""

from typing import TypeVar

from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue, ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.configured import policy_of
from hitl_prefect.deciding import decide
from hitl_prefect.desk import one_case_at_a_time
from hitl_prefect.errors import ConfigError
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation
from hitl_prefect.opening import Opened, check, make_case, open_case
from hitl_prefect.outcomes import Outcome
from hitl_prefect.pinning import apin_policy
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.spending import within_budget
from hitl_prefect.storing import afind_outcome, asave_outcome

__all__ = ["aresolve_case", "resolve_case"]

A = TypeVar("A")


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
    requester: str | None = None,
    variants: tuple[str | tuple[Message, ...], ...] = (),
    draft: Generation | None = None,
    stream: bool = False,
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
        requester: Who asks for the case, and so may not review it (unless `policy.requester_may_review`).
        variants: The same question in other words, for `Agreement(variants=True)`.
        draft: A draft of this very prompt that was made before, such as a batch's; the model is asked only where a
            reviewer wants another attempt.
        stream: Show a draft in the run's Artifacts tab while it is being written.

    Returns:
        The stored outcome, its `final_answer` of the type asked for.

    Raises:
        ConfigError: If something that the review will need is missing, before the model is asked; or if `case_id` was
            decided before for another prompt or with an answer that does not fit this type.
        BudgetSpent: If the run has spent the policy's `max_cost_usd`; with a higher one a retry goes on.
        ProviderError: If the model could not be asked, after retries.
        CaseForgotten: If people had the case forgotten; ask again under another `case_id`.
        OutcomeConflict: If another outcome of the case is stored; this one is in quarantine.
        StoreError: If the outcome could not be stored, after retries; the decision is not lost, a retry finishes.
    """
    facts = {"metadata": metadata or {}, "requester": requester, "variants": variants}
    case = make_case(prompt, answer=answer, task=task, case_id=case_id, **facts)
    chosen = await policy_of(policy)
    await check(case, chosen, model=model, store=store, stream=stream)
    opening = Opened(case=case, policy=chosen, model=model, draft=draft, stream=stream)
    async with open_journal(case) as journal:
        if journal is None:
            raise ConfigError("resolve_case needs a flow run: call it in the body of a function with @flow")
        # Today's budget, not the one that the case was opened with: a raised one lets the run go on.
        async with one_case_at_a_time(journal.flow_run_id):
            with within_budget(chosen):
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
    requester: str | None = None,
    variants: tuple[str | tuple[Message, ...], ...] = (),
    draft: Generation | None = None,
    stream: bool = False,
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
            requester=requester,
            variants=variants,
            draft=draft,
            stream=stream,
        )
    )


async def _resolve(journal: Journal, opening: Opened, *, store: str) -> Outcome[JsonValue]:
    if before := await _outcome_before(journal, opening.case, store):
        # For whoever waits for this flow run to end.
        return await journal.record("outcome", before)
    opened = await open_case(journal, await _pinned(journal, opening, store))
    outcome = journal.read("outcome", Outcome[JsonValue]) or await decide(journal, opened)
    await asave_outcome(outcome, store=store)
    return outcome


async def _pinned(journal: Journal, opening: Opened, store: str) -> Opened:
    """With the bars in force now; what an earlier run of this flow run began with stands in its journal."""
    if journal.read("opened", Opened) is not None:
        return opening
    policy = await apin_policy(opening.policy, task=opening.case.task, store=store)
    return opening.model_copy(update={"policy": policy})


async def _outcome_before(journal: Journal, case: Case, store: str) -> Outcome[JsonValue] | None:
    """What another run already decided about this case; it is not asked twice."""
    if journal.read("opened", Opened) is not None:
        return None
    before = await afind_outcome(case.task, case.id, store=store)
    # Examples before it make another prompt of a question, and no other case.
    if before is not None and not before.case.asks_the_same(case):
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
