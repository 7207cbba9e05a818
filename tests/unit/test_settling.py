"""What a form decides for the cases that it did not show."""

from hitl_prefect.detached import Detached, Member
from hitl_prefect.detached.settling import _of_member
from hitl_prefect.models import Attempt
from hitl_prefect.outcomes import CaseRecord, Versions
from hitl_prefect.policy import REVIEW_ALL
from tests.unit.making import a_case, a_generation, a_review, a_route, a_score, an_outcome

MADE = Attempt(
    generation=a_generation(), score=a_score(0.5), route=a_route(action="review", reason="below_bar", propensity=1.0)
)


def test_a_member_has_the_bytes_of_when_the_form_was_decided():
    """Whichever version goes on with a group that an earlier one has stored a part of."""
    member = Member(case=a_case(id="c2"), attempt=MADE)
    asked = Detached(case=a_case(), attempt=MADE, policy=REVIEW_ALL, model="none", store="folder:x", members=(member,))
    before = {
        "flow_run_id": "7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11",
        "deployment": "review",
        "versions": Versions(hitl_prefect="0.0.9", prefect="3.8.0", flow="f1"),
    }
    decided = {"decision": "approve", "decided_by": "human", "review": a_review(), "route": MADE.route}
    shown = an_outcome(generation=MADE.generation, score=MADE.score, **decided, **before)

    assert _of_member(member, shown, asked) == shown.model_copy(update={"case": CaseRecord.of(member.case)})
