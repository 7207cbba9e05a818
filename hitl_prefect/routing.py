"""Where the policy sends a case: accept or review, with the reason and the propensity."""

import operator
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, JsonValue

from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Case, Generation, Route, RouteReason, Score
from hitl_prefect.policy import Policy, Rule

__all__ = ["check_rules", "route"]


def route(case: Case, generation: Generation, score: Score, *, policy: Policy) -> Route:  # noqa: ARG001 - every step takes the case
    """Route one case; whatever is unsure, unscored or unusable goes to a person.

    Args:
        case: What was asked.
        generation: What came back.
        score: How sure we are.
        policy: The bar and the rules.

    Returns:
        `accept` or `review`. The propensity is 1 for a review and 0 for an accepted case: nothing here is drawn by lot.
    """
    reason, detail = _why(generation, score, policy)
    accepted = reason == "above_bar" or detail == _NEVER
    return Route(
        action="accept" if accepted else "review",
        reason=reason,
        detail=detail,
        propensity=0.0 if accepted else 1.0,
        policy_version=policy.version,
        bar=policy.min_confidence,
    )


_NEVER = "review='never'"


def _why(generation: Generation, score: Score, policy: Policy) -> tuple[RouteReason, str]:
    if generation.status != "ok":
        return generation.status, "; ".join(generation.problems)
    fired = next((rule for rule in policy.rules if fires(rule, generation.answer)), None)
    if fired is not None:
        return "rule", fired.describe()
    if policy.review != "by_confidence":
        return "rule", f"review={policy.review!r}"
    return _by_confidence(score, policy)


def _by_confidence(score: Score, policy: Policy) -> tuple[RouteReason, str]:
    if policy.min_confidence is None:
        return "cold_start", "the policy has no bar yet"
    if score.confidence is None:
        return "no_score", f"{score.combined} has no confidence"
    if score.confidence < policy.min_confidence:
        return "below_bar", f"confidence {score.confidence:.2f} is below {policy.min_confidence:.2f}"
    return "above_bar", ""


def _contains(answer: Any, value: Any) -> bool:
    return bool(operator.contains(answer, value))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
    "in": lambda answer, value: _contains(value, answer),
    "contains": _contains,
}


def fires(rule: Rule, answer: JsonValue) -> bool:
    """Whether a rule fits; a field that is absent or cannot be compared fits, since nobody can say that it does not.

    >>> fires(Rule(field="total", op=">", value=1000), {"total": 1200})
    True
    """
    try:
        return bool(_OPERATORS[rule.op](_at(answer, rule.field), rule.value))
    except (KeyError, IndexError, TypeError, ValueError):
        return True


def _at(answer: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer


def check_rules(policy: Policy, answer: Any) -> None:
    """Refuse a rule about a field that the answer type does not have.

    Raises:
        ConfigError: Naming the field and the fields that there are.
    """
    if not (isinstance(answer, type) and issubclass(answer, BaseModel)):
        return
    known = {info.serialization_alias or info.alias or name for name, info in answer.model_fields.items()}
    for rule in policy.rules:
        if (first := rule.field.split(".")[0]) not in known:
            has = f"{answer.__name__} has no field {first!r}; it has {sorted(known)}"
            raise ConfigError(f"rule {rule.describe()!r}: {has}")
