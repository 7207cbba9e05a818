from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import BaseModel

from hitl_prefect.calibrations import Calibrated, Calibration
from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Promise, Route
from hitl_prefect.policy import Policy, Rule
from hitl_prefect.routing import check_rules, fires, route
from hitl_prefect.scorers import Learned
from tests.unit.making import NOON, a_case, a_generation, a_score


class Invoice(BaseModel):
    total: float


def routed(policy, confidence=0.8, **generation):
    found = route(a_case(), a_generation(**generation), a_score(confidence), policy=policy)
    return found.action, found.reason, found.propensity


OVER_TEN = Rule(field="total", op=">", value=10)


@pytest.mark.parametrize(
    ("policy", "confidence", "expected"),
    [
        (Policy(min_confidence=0.8), 0.8, ("accept", "above_bar", 0.0)),
        (Policy(min_confidence=0.8), 0.79, ("review", "below_bar", 1.0)),
        (Policy(min_confidence=0.8), None, ("review", "no_score", 1.0)),
        (Policy(), 1.0, ("review", "cold_start", 1.0)),
        (Policy(min_confidence=0.1, review="always"), 1.0, ("review", "rule", 1.0)),
        (Policy(review="never", reversible=True), None, ("accept", "rule", 0.0)),
        (Policy(min_confidence=0.1, rules=(OVER_TEN,)), 1.0, ("review", "rule", 1.0)),
        (Policy(review="never", reversible=True, rules=(OVER_TEN,)), 1.0, ("review", "rule", 1.0)),
    ],
)
def test_the_policy_decides_who_sees_a_case(policy, confidence, expected):
    """Whatever is unsure or unscored goes to a person; a rule beats the bar."""
    assert routed(policy, confidence) == expected


@pytest.mark.parametrize("status", ["invalid", "refused", "truncated"])
def test_what_is_no_answer_is_never_accepted(status):
    """Not even where nobody is to be asked."""
    policy = Policy(review="never", reversible=True)

    assert routed(policy, 1.0, status=status, answer=None) == ("review", status, 1.0)


@pytest.mark.parametrize(
    ("rule", "answer", "fired"),
    [
        (Rule(field="lines.0.total", op=">=", value=5), {"lines": [{"total": 5}]}, True),
        (Rule(field="vendor", op="in", value=["ACME"]), {"vendor": "Other"}, False),
        (Rule(op="contains", value="refund"), "a refund, please", True),
        (Rule(op="==", value="refund"), "delivery", False),
        (Rule(field="total", op=">", value=10), {}, True),
        (Rule(field="total", op=">", value=10), {"total": "many"}, True),
        (Rule(field="total", op=">", value=10), None, True),
    ],
)
def test_a_rule_fits_unless_it_can_be_said_that_it_does_not(rule, answer, fired):
    """A field that is absent or of another kind sends the case to a person."""
    assert fires(rule, answer) is fired


def test_a_rule_about_a_field_that_does_not_exist_is_refused():
    """The message names the fields that there are."""
    with pytest.raises(ConfigError, match=r"no field 'totl'; there is \['total'\]"):
        check_rules(Policy(rules=(Rule(field="totl", op=">", value=1),)), Invoice)


@pytest.mark.parametrize(
    ("answer", "field", "known"),
    [
        (Invoice, "", True),
        (list[Invoice], "0.total", True),
        (list[Invoice], "0.totl", False),
        (Invoice, "total.net", False),
        (dict[str, Any], "anything.at.all", True),
    ],
)
def test_a_rule_is_checked_along_its_whole_path(answer, field, known):
    """As far as the type says what there is."""
    policy = Policy(rules=(Rule(field=field, op="==", value=1),))

    with nullcontext() if known else pytest.raises(ConfigError):
        check_rules(policy, answer)


KEY = {"task": "invoices", "model": "gpt-5-mini", "prompt": "-", "scorer": "min(stated)"}
PROMISE = Promise(max_error=0.05, confidence_level=0.9)


def in_force(**changes):
    """What is in force for the cases of this file."""
    facts = {"promise": PROMISE, "status": "ready", "bar": 0.8, "labels": 300, "look": 1, "made_at": NOON, **KEY}
    return Calibrated.after(None, "invoices", (Calibration(**{**facts, **changes}),), NOON)


def budget(**changes):
    """A policy with a risk budget and a bar in force; without audits, but where a test wants them."""
    return Policy(**{"max_error": 0.05, "audit_rate": 0, "calibrated": in_force(), **changes})


@pytest.mark.parametrize(
    ("policy", "confidence", "expected"),
    [
        (budget(), 0.8, ("accept", "above_bar", 0.0)),
        (budget(), 0.79, ("review", "below_bar", 1.0)),
        (budget(calibrated=None), 1.0, ("review", "cold_start", 1.0)),
        (budget(calibrated=in_force(status="cold", bar=None)), 1.0, ("review", "cold_start", 1.0)),
        (budget(calibrated=in_force(status="drift", bar=None)), 1.0, ("review", "drift", 1.0)),
        (budget(max_error=0.1), 0.8, ("accept", "above_bar", 0.0)),
        (budget(max_error=0.01), 1.0, ("review", "cold_start", 1.0)),
        (budget(confidence_level=0.95), 1.0, ("review", "cold_start", 1.0)),
    ],
)
def test_a_risk_budget_takes_the_bar_that_keeps_its_promise(policy, confidence, expected):
    """A bar for a stricter promise will do; one for a laxer promise will not."""
    assert routed(policy, confidence) == expected


@pytest.mark.parametrize("changed", KEY)
def test_whatever_changes_of_task_model_prompt_and_scorer_starts_cold(changed):
    """A bar holds for what its labels were about, and for nothing else."""
    policy = budget(calibrated=in_force(**{changed: "other"}))

    assert routed(policy, 1.0) == ("review", "cold_start", 1.0)


def test_the_route_says_how_many_labels_are_missing():
    policy = budget(calibrated=in_force(status="cold", bar=None, needed=17))

    found = route(a_case(), a_generation(), a_score(), policy=policy)

    assert found == Route(
        action="review",
        reason="cold_start",
        detail="no bar yet: 17 more labels are needed at least",
        propensity=1,
        policy_version=policy.version,
        promise=PROMISE,
    )


def _routes(cases, policy):
    return [route(case, a_generation(), a_score(), policy=policy) for case in cases]


def test_five_in_a_hundred_accepted_cases_are_audited_and_always_the_same():
    """The propensity says so of those that are not drawn, too."""
    policy = budget(audit_rate=None)
    cases = [a_case(id=f"c{number}") for number in range(4000)]

    first, again = ([(one.action, one.reason, one.propensity) for one in _routes(cases, policy)] for _ in range(2))

    assert first == again
    assert set(first) == {("accept", "above_bar", 0.05), ("review", "audit", 0.05)}
    assert 0.04 < first.count(("review", "audit", 0.05)) / len(cases) < 0.06


def test_a_bar_that_was_set_by_hand_can_be_audited_too():
    assert routed(Policy(min_confidence=0.8, audit_rate=1), 0.9) == ("review", "audit", 1.0)
    assert routed(Policy(min_confidence=0.8, audit_rate=1), 0.7) == ("review", "below_bar", 1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_error": 0.05, "min_confidence": 0.9}, "leave out one of them"),
        ({"calibrated": in_force()}, "give the max_error"),
        ({"max_error": 0.05, "scorers": (Learned(model="embedded:mail@s3://o"),)}, "embedded:mail/1@s3://o"),
        ({"max_error": 0.05, "review": "never", "reversible": True}, "asks nobody"),
        ({"audit_rate": 0.1, "review": "never", "reversible": True}, "asks nobody"),
        ({"max_error": 0}, "greater than 0"),
    ],
)
def test_a_budget_that_cannot_be_honoured_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Policy(**fields)
