"""Where the policy sends a case: accept or review, with the reason and the propensity."""

import operator
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from pydantic import JsonValue

from hitl_prefect.answers import answer_type
from hitl_prefect.audits import is_drawn
from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import Key, prompt_name
from hitl_prefect.fields import field_at
from hitl_prefect.models import Case, Generation, Route, RouteReason, Score
from hitl_prefect.policy import Policy, Rule
from hitl_prefect.shares import counted

__all__ = ["check_rules", "route"]


def route(case: Case, generation: Generation, score: Score, *, policy: Policy) -> Route:
    """Route one case; whatever is unsure, unscored or unusable goes to a person, and of the rest a share (audits).

    Args:
        case: What was asked.
        generation: What came back.
        score: How sure we are.
        policy: The bar, or the risk budget with the bars in force, and the rules.

    Returns:
        `accept` or `review`. The propensity is 1 for a review, and the policy's share of audits for a case that is
        accepted and for one that is audited. Whether it is follows from its id: however often it is run, it is the
        same.
    """
    bar = _bar_for(Key(case.task, generation.model, prompt_name(case), score.combined), policy)
    action, reason, detail = _decide(generation, score, policy, bar)
    propensity = 1.0 if action == "review" else policy.audits
    if action == "accept" and is_drawn(case.task, case.id, policy.audits):
        action, reason = "review", "audit"
    return Route(
        action=action,
        reason=reason,
        detail=detail,
        propensity=propensity,
        policy_version=policy.version,
        bar=bar.value,
        promise=policy.promise,
    )


class _Bar(NamedTuple):
    value: float | None
    reason: RouteReason = "cold_start"
    """Why there is none."""
    detail: str = ""


def _bar_for(key: Key, policy: Policy) -> _Bar:
    """The policy's own bar, or the one that keeps its promise for this task, model, prompt and scorer."""
    if policy.promise is None:
        return _Bar(policy.min_confidence, detail="the policy has no bar yet")
    found = policy.calibrated.of(key, policy.promise) if policy.calibrated else None
    if found is None:
        return _Bar(None, detail="no bar yet: this model, prompt and scorer were never calibrated for this task")
    if found.status == "drift":
        return _Bar(None, "drift", f"{found.alarm}; {_lacking(found.needed)}")
    return _Bar(found.bar, detail=f"no bar yet: {_lacking(found.needed)}")


def _lacking(labels: int) -> str:
    return f"{counted(labels, 'more label')} {'is' if labels == 1 else 'are'} needed at least"


_Decided = tuple[Literal["accept", "review"], RouteReason, str]


def _decide(generation: Generation, score: Score, policy: Policy, bar: _Bar) -> _Decided:
    if generation.status != "ok":
        return "review", generation.status, "; ".join(generation.problems)
    fired = next((rule for rule in policy.rules if fires(rule, generation.answer)), None)
    if fired is not None:
        return "review", "rule", fired.describe()
    if policy.review != "by_confidence":
        return "accept" if policy.review == "never" else "review", "rule", f"review={policy.review!r}"
    return _by_confidence(score, bar)


def _by_confidence(score: Score, bar: _Bar) -> _Decided:
    if bar.value is None:
        return "review", bar.reason, bar.detail
    if score.confidence is None:
        return "review", "no_score", f"{score.combined} has no confidence"
    if score.confidence < bar.value:
        return "review", "below_bar", f"confidence {score.confidence:.2f} is below {bar.value:.2f}"
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
