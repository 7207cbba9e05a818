"""How a case begins in a flow run: everything that can be wrong is found, and what it began with is pinned."""

from typing import Any

from prefect.runtime import flow_run

from hitl_prefect.answers import answer_type, problems_of
from hitl_prefect.concluding import fallback_of
from hitl_prefect.configured import store_of
from hitl_prefect.desk import check_place
from hitl_prefect.errors import ConfigError
from hitl_prefect.forms import check_form
from hitl_prefect.frozen import Frozen
from hitl_prefect.journal import Execution, Journal, execution_of
from hitl_prefect.judging import check_scoring
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation, as_slug
from hitl_prefect.people import Probes, check_people
from hitl_prefect.policy import Policy
from hitl_prefect.routing import check_rules
from hitl_prefect.scorer_checks import check_agreement
from hitl_prefect.signposts import tag_run
from hitl_prefect.spending import check_prices

__all__ = ["Opened", "check", "check_asking", "check_review", "check_reviewers", "make_case", "open_case"]


class Opened(Frozen):
    """What this flow run began with; it stays so when the code changes while a review waits."""

    case: Case
    policy: Policy
    model: str
    draft: Generation | None = None
    """A draft made before the run, such as a batch's: the model is not asked for attempt 1."""
    stream: bool = False
    """Whether drafts are shown while they are being written."""


def make_case(prompt: str | tuple[Message, ...], *, task: str, case_id: str | None, **facts: Any) -> Case:
    """The case that a flow asked for; its id is the flow run's where it gave none.

    Raises:
        ConfigError: If the id or the task is none.
    """
    try:
        return Case(id=case_id or str(flow_run.id), task=task, prompt=prompt, **facts)
    except ValueError as exc:
        raise ConfigError(
            f"case {case_id!r} of task {task!r}: {exc}\nA case id holds letters, digits and ._- only; "
            f"a task is a slug such as {as_slug(task)!r}"
        ) from exc


async def check(case: Case, policy: Policy, *, model: str, store: str, stream: bool = False) -> None:
    """Find everything that can be wrong before the model is asked.

    Raises:
        ConfigError: If something that the case will need is missing or cannot be honoured.
    """
    await check_review(case, policy, store=store)
    _check_probes(policy, stream=stream)
    _check_alone(policy)
    await check_scoring(policy, model)
    check_agreement(policy, case)
    await check_prices(policy, model)


async def check_review(case: Case, policy: Policy, *, store: str) -> None:
    """Find everything that can be wrong about asking people and keeping what they say.

    Raises:
        ConfigError: If something that the review will need is missing or cannot be honoured.
    """
    check_place()
    await check_asking(case, policy, store=store)
    if policy.on_deadline == "fallback":
        fallback_of(case, policy)


async def check_asking(case: Case, policy: Policy, *, store: str) -> None:
    """Find what can be wrong about the form, who answers it, and where that is kept; wherever it is asked from.

    Raises:
        ConfigError: If something is missing or cannot be honoured.
    """
    check_form(case.answer)
    check_rules(policy, case.answer)
    check_reviewers(case, policy)
    await store_of(store)


def check_reviewers(case: Case, policy: Policy) -> None:
    """Refuse a policy that asks for more people than may answer this case.

    Raises:
        ConfigError: Naming the case, the field and what to change.
    """
    requester = None if policy.requester_may_review else case.requester
    try:
        check_people(policy, requester)
    except ValueError as exc:
        raise ConfigError(f"case {case.id!r}: {exc}") from None


def _check_alone(policy: Policy) -> None:
    """Refuse what only makes sense for many cases together."""
    asked = {"max_reviews_per_day": policy.max_reviews_per_day, "grouping": policy.grouping}
    if given := [name for name, value in asked.items() if value is not None]:
        raise ConfigError(
            f"policy.{given[0]} is about many cases, and resolve_case sees one: use resolve_cases, or leave it out"
        )


def _check_probes(policy: Policy, *, stream: bool) -> None:
    if stream and policy.probes != Probes():
        raise ConfigError(
            "stream=True shows every draft in the run's Artifacts tab, where it spoils the policy's probes: leave out "
            "one of the two"
        )


_prompts: dict[tuple[Execution, str], str] = {}
"""The prompt of each case that this process opened."""


async def open_case(journal: Journal, opening: Opened) -> Opened:
    """What stands: `opening`, or what an earlier run of this flow run began with.

    Raises:
        ConfigError: If the run already resolves another case under that id, or the draft is of something else.
    """
    case = opening.case
    here = (execution_of(journal.flow_run_id), journal.slug)
    if _prompts.setdefault(here, case.prompt_sha256) != case.prompt_sha256:
        raise ConfigError(f"this flow run already resolves another case of task {case.task!r}: give each a case_id")
    stands = journal.read("opened", Opened)
    if stands is None:
        _check_draft(case, opening.draft)
        await tag_run(journal.client, journal.flow_run_id, case.task)
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
