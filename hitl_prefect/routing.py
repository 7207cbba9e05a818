"""Where the policy sends a case: accept or review, with the reason and the propensity."""

import operator
from collections.abc import Callable
from typing import Any, Literal

from pydantic import JsonValue

from hitl_prefect.answers import answer_type
from hitl_prefect.errors import ConfigError
from hitl_prefect.fields import field_at
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
    action, reason, detail = _decide(generation, score, policy)
    return Route(
        action=action,
        reason=reason,
        detail=detail,
        propensity=0.0 if action == "accept" else 1.0,
        policy_version=policy.version,
        bar=policy.min_confidence,
    )


_Decided = tuple[Literal["accept", "review"], RouteReason, str]


def _decide(generation: Generation, score: Score, policy: Policy) -> _Decided:
    if generation.status != "ok":
        return "review", generation.status, "; ".join(generation.problems)
    fired = next((rule for rule in policy.rules if fires(rule, generation.answer)), None)
    if fired is not None:
        return "review", "rule", fired.describe()
    if policy.review != "by_confidence":
        return "accept" if policy.review == "never" else "review", "rule", f"review={policy.review!r}"
    return _by_confidence(score, policy)


def _by_confidence(score: Score, policy: Policy) -> _Decided:
    if policy.min_confidence is None:
        return "review", "cold_start", "the policy has no bar yet"
    if score.confidence is None:
        return "review", "no_score", f"{score.combined} has no confidence"
    if score.confidence < policy.min_confidence:
        return "review", "below_bar", f"confidence {score.confidence:.2f} is below {policy.min_confidence:.2f}"
    return "accept", "above_bar", ""


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
        return bool(_OPERATORS[rule.op](field_at(answer, rule.field), rule.value))
    except (KeyError, IndexError, TypeError, ValueError):
        return True


def check_rules(policy: Policy, answer: Any) -> None:
    """Refuse a rule, or an `error_cost`, about a field that the answer type does not have.

    Raises:
        ConfigError: Naming the rule, the field and the fields that there are.
    """
    schema = answer_type(answer).json_schema
    paths = [(f"rule {rule.describe()!r}", rule.field) for rule in policy.rules]
    if isinstance(policy.error_cost, str):
        paths.append((f"error_cost={policy.error_cost!r}", policy.error_cost))
    for whose, path in paths:
        _check_path(whose, path.split(".") if path else [], schema, schema.get("$defs", {}))


def _check_path(whose: str, path: list[str], schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Walk along the path as far as the schema knows; what it leaves open, such as a dictionary, may hold anything."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if not path:
        return
    if "items" in schema and path[0].isdigit():
        _check_path(whose, path[1:], schema["items"], definitions)
    elif known := schema.get("properties"):
        if path[0] not in known:
            raise ConfigError(f"{whose}: there is no field {path[0]!r}; there is {sorted(known)}")
        _check_path(whose, path[1:], known[path[0]], definitions)
    elif schema.get("type") in ("string", "number", "integer", "boolean"):
        raise ConfigError(f"{whose}: {schema['type']} has no field {path[0]!r}")
