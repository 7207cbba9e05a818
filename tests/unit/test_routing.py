from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import BaseModel

from hitl_prefect.errors import ConfigError
from hitl_prefect.policy import Policy, Rule
from hitl_prefect.routing import check_rules, fires, route
from tests.unit.making import a_case, a_generation, a_score


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
