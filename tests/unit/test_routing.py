import re
from contextlib import nullcontext
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

from hitl_prefect.calibrations import Calibrated, Calibration
from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Promise, Route
from hitl_prefect.policy import Policy, Rule
from hitl_prefect.routing import check_rules, fires, route
from hitl_prefect.scorers import Learned
from hitl_prefect.signing import public_key_of
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


COMPARED = {"<": (9,), "<=": (9, 10), "==": (10,), "!=": (9, 11), ">=": (10, 11), ">": (11,)}
"""Which of 9, 10 and 11 each comparison with 10 fits."""


@pytest.mark.parametrize(
    ("rule", "answer", "fired"),
    [
        (Rule(field="lines.0.total", op=">=", value=5), {"lines": [{"total": 5}]}, True),
        (Rule(field="vendor", op="in", value=["ACME"]), {"vendor": "Other"}, False),
        (Rule(op="contains", value="refund"), "a refund, please", True),
        (Rule(op="==", value="refund"), "delivery", False),
        (Rule(op="contains", value="refund"), "a delivery", False),
        *(
            (Rule(field="total", op=op, value=10), {"total": total}, total in fit)
            for op, fit in COMPARED.items()
            for total in (9, 10, 11)
        ),
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


class Order(BaseModel):
    first: Invoice
    paid: bool = False
    pieces: int = 1
    by_year: dict[int, Any] = {}
    lines: list[Invoice] = []


@pytest.mark.parametrize(
    ("answer", "field", "refusal"),
    [
        (Invoice, "", ""),
        (list[Invoice], "0.total", ""),
        (Order, "first.total", ""),
        (Order, "lines.0.total", ""),
        (Order, "by_year.2024.total", ""),
        (dict[str, Any], "anything.at.all", ""),
        (list[Invoice], "0.totl", "there is no field 'totl'; there is ['total']"),
        (Order, "first.totl", "there is no field 'totl'; there is ['total']"),
        (Order, "lines.0.totl", "there is no field 'totl'; there is ['total']"),
        (Invoice, "total.net", "number has no field 'net'"),
        (Order, "paid.by", "boolean has no field 'by'"),
        (Order, "pieces.0", "integer has no field '0'"),
        (str, "subject", "string has no field 'subject'"),
    ],
)
def test_a_rule_is_checked_along_its_whole_path(answer, field, refusal):
    """As far as the type says what there is; the message names the rule, and what its path met."""
    rule = Rule(field=field, op="==", value=1)
    message = re.escape(f"rule {rule.describe()!r}: {refusal}")

    with pytest.raises(ConfigError, match=f"^{message}$") if refusal else nullcontext():
        check_rules(Policy(rules=(rule,)), answer)


def test_the_cost_of_an_error_must_be_a_field_of_the_answer_too():
    with pytest.raises(ConfigError, match=r"^error_cost='totl': there is no field 'totl'; there is \['total'\]$"):
        check_rules(Policy(error_cost="totl"), Invoice)
    check_rules(Policy(error_cost="total"), Invoice)


KEY = {"task": "invoices", "model": "gpt-5-mini", "prompt": "-", "scorer": "min(stated)"}
PROMISE = Promise(max_error=0.05, confidence_level=0.9)


def in_force(**changes):
    """What is in force for the cases of this file."""
    facts = {"promise": PROMISE, "status": "ready", "bar": 0.8, "labels": 300, "look": 1, "made_at": NOON, **KEY}
    return Calibrated.after(None, "invoices", (Calibration(**{**facts, **changes}),), NOON)


UNKNOWN = "this model, prompt and scorer were never calibrated for this task"


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


def test_the_route_of_an_accepted_case_holds_the_bar_and_the_promise():
    policy = budget(audit_rate=0.25)

    assert route(a_case(), a_generation(), a_score(0.9), policy=policy) == Route(
        action="accept",
        reason="above_bar",
        propensity=0.25,
        policy_version=policy.version,
        bar=0.8,
        promise=PROMISE,
    )


@pytest.mark.parametrize(
    ("policy", "detail"),
    [
        (Policy(), "the policy has no bar yet"),
        (budget(calibrated=None), f"no bar yet: {UNKNOWN}"),
        (
            budget(calibrated=in_force(status="cold", bar=None, needed=17)),
            "no bar yet: 17 more labels are needed at least",
        ),
        (budget(calibrated=in_force(status="cold", bar=None, needed=1)), "no bar yet: 1 more label is needed at least"),
        (
            budget(calibrated=in_force(status="drift", bar=None, needed=2, alarm="9 of 100 are wrong")),
            "9 of 100 are wrong; 2 more labels are needed at least",
        ),
        (Policy(review="always"), "review='always'"),
        (Policy(min_confidence=0.95), "confidence 0.90 is below 0.95"),
        (Policy(rules=(Rule(field="total", op="==", value=1), OVER_TEN)), OVER_TEN.describe()),
    ],
)
def test_the_route_says_why_a_person_is_asked(policy, detail):
    """In words that the form repeats: what is lacking, or which rule fitted."""
    assert route(a_case(), a_generation(), a_score(0.9), policy=policy).detail == detail


def test_what_was_wrong_with_a_reply_is_why_a_person_is_asked():
    reply = a_generation(status="invalid", answer=None, problems=("total: missing", "vendor: missing"))

    assert route(a_case(), reply, a_score(0.9), policy=Policy()).detail == "total: missing; vendor: missing"


def test_a_scorer_without_a_confidence_is_named():
    score = a_score(None)

    assert route(a_case(), a_generation(), score, policy=budget()).detail == f"{score.combined} has no confidence"


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


def test_two_tasks_audit_different_cases_of_the_same_ids():
    """Else the same ids would be looked at everywhere, and the others nowhere."""
    policy = Policy(min_confidence=0.5, audit_rate=0.5)

    drawn = [
        [one.reason for one in _routes([a_case(id=f"c{i}", task=task) for i in range(64)], policy)] for task in "ab"
    ]

    assert drawn[0] != drawn[1]


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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"over_budget": "fallback"}, "over_budget='fallback' needs fallback"),
        (
            {
                "grouping": {},
                "require_signature": True,
                "reviewers": ("ada",),
                "reviewer_keys": {"ada": public_key_of(Ed25519PrivateKey.from_private_bytes(b"a" * 32))},
            },
            "grouping answers many cases at once, and a signature is for one",
        ),
    ],
)
def test_a_policy_for_many_cases_that_cannot_be_honoured_cannot_be_written(fields, message):
    """Neither an answer that nobody gave, nor one signature under many cases."""
    with pytest.raises(ValueError, match=message):
        Policy(**fields)
