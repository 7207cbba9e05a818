"""Who reviews an audit is told no more, and no less, than who reviews a draft that is unsure."""

import json

import pytest
from pydantic import BaseModel

from hitl_prefect.concluding import conclude
from hitl_prefect.detached import Detached
from hitl_prefect.detached.parameters import freeze, thaw
from hitl_prefect.evidence import evidence_of
from hitl_prefect.models import WORTH_MOST, Attempt, Case
from hitl_prefect.outcomes import Settlement
from hitl_prefect.panel import Ask, Sitting
from hitl_prefect.policy import Policy
from hitl_prefect.reasons import reason_in_words
from hitl_prefect.rounds import About, make_round
from hitl_prefect.routing import route
from hitl_prefect.telling import settled_facts, signs_of
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score


class Total(BaseModel):
    total: float


POLICY = Policy(min_confidence=0.8, audit_rate=1, error_cost=10, message_holds=("prompt", "draft"))
SETTLED = Settlement(decision="approve", answer={"total": 12.5}, decided_by="human", decided_at=NOON)


def told(confidence, policy=POLICY):
    """Everything that is told of a review of the same draft: form, messages, labels, names, and how it ended."""
    routed = route(a_case(answer=dict[str, float]), a_generation(), a_score(confidence), policy=policy)
    return told_of(routed, confidence, policy)


def told_of(routed, confidence, policy):
    case, draft, score = a_case(answer=dict[str, float]), a_generation(), a_score(confidence)
    sitting = Sitting(case=case, generation=draft, score=score, policy=policy)
    made = make_round(About(run="r", slug="s", how="suspended", route=routed), sitting, Ask(), number=1, since=NOON)
    made = made.model_copy(update={"opened_at": NOON})
    seen = (
        made.form,
        made.facts,
        signs_of(sitting, made, routed, "step"),
        settled_facts(sitting.case, sitting.score, routed, SETTLED, policy=sitting.policy),
    )
    return routed.reason, json.dumps([one.model_dump(mode="json") for one in seen])


def test_an_audit_looks_like_a_review_of_a_draft_that_is_unsure():
    """To the letter, whatever the confidence; the word is nowhere."""
    (audit, of_audit), (below, of_unsure) = told(0.99), told(0.2)

    assert (audit, below) == ("audit", "below_bar")
    assert of_audit == of_unsure
    assert "audit" not in of_audit
    assert "audit" not in reason_in_words("by_confidence")
    assert '"hitl.expected_loss": 2.0' in of_audit


def test_a_case_of_a_labelling_round_does_not_tell_whether_it_was_drawn_or_is_hard():
    """Else people know of which drafts the classifier is unsure, and whom it is measured on."""
    routes = (
        a_route(action="review", reason="audit", propensity=0.2),
        a_route(action="review", reason="rule", propensity=1, detail=f"{WORTH_MOST}: margin"),
    )
    (audit, of_audit), (rule, of_hard) = (told_of(one, 0.5, Policy()) for one in routes)

    assert (audit, rule) == ("audit", "rule")
    assert of_audit == of_hard


def test_without_audits_people_are_told_how_sure_the_model_was():
    _, seen = told(0.2, Policy(min_confidence=0.8))

    assert "confidence 0.20 is below 0.80" in seen


async def test_the_parameters_of_a_run_of_its_own_do_not_tell_either(tmp_path):
    """Prefect shows them: what the review is about is in the store."""
    case = Case(id="c1", task="invoices", prompt="Extract.", answer=Total)
    attempt = Attempt(generation=a_generation(), score=a_score(0.99), route=a_route(reason="audit", action="review"))
    review = Detached(case=case, attempt=attempt, policy=POLICY, model="none", store=f"folder:{tmp_path}")

    parameters = await freeze(review)

    assert "audit" not in parameters.model_dump_json()
    assert await thaw(parameters) == review


@pytest.mark.parametrize(("by", "decided_by", "right"), [("human", "audit", True), ("deadline", "deadline", None)])
def test_what_people_settle_of_an_audit_is_decided_by_it(by, decided_by, right):
    """And a label; what a deadline did is the deadline's, and none."""
    routed = a_route(action="review", reason="audit", propensity=0.05, bar=0.8)
    review = a_review()
    review = review.model_copy(update={"settled": review.settled.model_copy(update={"decided_by": by})})

    outcome = conclude(a_case(), a_generation(), a_score(), routed, review, policy=POLICY)

    assert (outcome.decided_by, evidence_of(outcome).right, evidence_of(outcome).propensity) == (
        decided_by,
        right,
        0.05,
    )
