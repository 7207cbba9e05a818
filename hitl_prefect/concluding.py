"""From what the machine and people said to the outcome."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import prefect
from prefect.context import FlowRunContext
from prefect.runtime import deployment, flow_run
from pydantic import JsonValue

from hitl_prefect._version import __version__
from hitl_prefect.answers import answer_type, problems_of
from hitl_prefect.errors import ConfigError, ReviewError
from hitl_prefect.models import Attempt, Case, Generation, Route, Score
from hitl_prefect.outcomes import CaseRecord, Outcome, Review, Versions
from hitl_prefect.policy import Policy
from hitl_prefect.retention import retained

__all__ = ["conclude", "conclude_unasked", "fallback_of"]


def conclude(
    case: Case,
    generation: Generation,
    score: Score,
    route: Route,
    review: Review | None = None,
    *,
    policy: Policy,
    earlier: Sequence[Attempt] = (),
) -> Outcome[JsonValue]:
    """The outcome of a case, with where and by what it was made.

    Args:
        case: What was asked.
        generation: The last draft.
        score: How sure the machine was of it.
        route: Where the policy sent it.
        review: What people said of all attempts; `None` where nobody was asked.
        policy: What the deadline does.
        earlier: The attempts before the last, oldest first.

    Raises:
        ReviewError: If nothing has been decided: sent to a person and not reviewed, or another attempt was asked for.
    """
    ended = _ending(case, generation, route, review, policy)
    outcome = Outcome[JsonValue](
        case=CaseRecord.of(case),
        generation=generation,
        earlier=tuple(earlier),
        score=score,
        route=route,
        review=review,
        flow_run_id=flow_run.id,
        deployment=_deployment(),
        versions=_versions(),
        **(ended | {"decided_by": "audit"} if _is_audit(route, review, earlier) else ended),
    )
    return retained(outcome, policy.retention)


def conclude_unasked(case: Case, attempt: Attempt, *, policy: Policy, at: datetime) -> Outcome[JsonValue]:
    """The outcome of a case that should be reviewed and for which the policy's `max_reviews_per_day` left no review.

    Args:
        case: What was asked.
        attempt: The draft, its score, and the route to a person.
        policy: Which end is safe: `over_budget`.
        at: When that was decided.

    Raises:
        ConfigError: If the policy's fallback does not fit the answer type.
        ReviewError: If the policy holds such cases: nothing is decided.
    """
    if policy.over_budget == "hold":
        raise ReviewError(f"case {case.id!r} is held: nothing is decided until there is a review")
    is_rejected = policy.over_budget == "reject"
    detail = f"over the budget of {policy.max_reviews_per_day} reviews a day"
    outcome = Outcome[JsonValue](
        case=CaseRecord.of(case),
        generation=attempt.generation,
        score=attempt.score,
        route=attempt.route.model_copy(update={"propensity": 0.0, "detail": detail}),
        flow_run_id=flow_run.id,
        deployment=_deployment(),
        versions=_versions(),
        **_ended("policy", policy.over_budget, None if is_rejected else fallback_of(case, policy), at),
    )
    return retained(outcome, policy.retention)


def _versions() -> Versions:
    return Versions(hitl_prefect=__version__, prefect=prefect.__version__, flow=_flow_version())


def _deployment() -> str | None:
    """The name of the deployment of the run that we are in."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return _name_of(run.deployment_id or run.id if run else flow_run.id)


@lru_cache(maxsize=64)
def _name_of(_run_or_deployment: UUID | str | None) -> str | None:
    """Asked for once for each: Prefect asks its server every time, and nothing else goes on meanwhile."""
    name: str | None = deployment.name
    return name


def _flow_version() -> str | None:
    context = FlowRunContext.get()
    return context.flow.version if context and context.flow else None


def _ending(case: Case, generation: Generation, route: Route, review: Review | None, policy: Policy) -> dict[str, Any]:
    """Decision, final answer, who decided and when."""
    if route.action == "accept":
        return _ended("model", "accept", generation.answer, generation.created_at)
    settled = review.settled if review is not None else None
    if settled is None or settled.decision == "retry":
        raise ReviewError("nothing is decided yet: this case was sent to a person, and no verdict settles it")
    answer = fallback_of(case, policy) if settled.decision == "fallback" else settled.answer
    return _ended(settled.decided_by, settled.decision, answer, settled.decided_at)


def _is_audit(route: Route, review: Review | None, earlier: Sequence[Attempt]) -> bool:
    """Whether people settled what would have been accepted; what a deadline did stays the deadline's."""
    first = earlier[0].route if earlier else route
    return first.reason == "audit" and review is not None and review.settled.decided_by != "deadline"


def fallback_of(case: Case, policy: Policy) -> JsonValue:
    """The policy's fallback, as the answer type writes it.

    Raises:
        ConfigError: If it does not fit the answer type.
    """
    answer = answer_type(case.answer)
    try:
        fallback: JsonValue = answer.as_json(answer.from_json(policy.fallback))
    except ValueError as exc:
        raise ConfigError(f"policy.fallback does not fit the answer type: {'; '.join(problems_of(exc))}") from exc
    return fallback


def _ended(who: str, decision: str, final_answer: JsonValue, at: datetime) -> dict[str, Any]:
    return {"decided_by": who, "decision": decision, "final_answer": final_answer, "decided_at": at}
