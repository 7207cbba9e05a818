import pytest

from hitl_prefect.evidence import Key, evidence_of, how_decided, prompt_name, was_right
from hitl_prefect.gathering import gather
from hitl_prefect.messages import Message
from hitl_prefect.models import Attempt
from hitl_prefect.outcomes import CaseRecord, Group, outcome_key
from hitl_prefect.stores.folder import FolderStore
from tests.unit.making import a_case, a_generation, a_review, a_route, a_score, a_verdict, an_outcome

REVIEWED = {"decision": "approve", "decided_by": "human", "review": a_review(), "route": a_route(propensity=1)}
GUESSED = Attempt(generation=a_generation(answer={"total": 9.0}), score=a_score(0.3), route=a_route(propensity=1))


def test_evidence_is_about_the_draft_that_would_have_shipped():
    """A second attempt that was approved says that the first one was wrong."""
    outcome = an_outcome(**REVIEWED, earlier=(GUESSED,), generation=a_generation(attempt=2))

    evidence = evidence_of(outcome)

    assert (evidence.right, evidence.confidence) == (False, 0.3)
    assert evidence.key == Key("invoices", "gpt-5-mini", "-", "min(stated)")


def test_a_person_who_comes_back_to_the_first_answer_says_that_it_was_right():
    first = GUESSED.model_copy(update={"generation": a_generation()})
    outcome = an_outcome(**{**REVIEWED, "decision": "edit"}, earlier=(first,), generation=a_generation(attempt=2))

    assert was_right(outcome) is True


def test_a_case_that_another_form_answered_is_no_label():
    """One form answered two cases: the person looked at the draft of one."""
    review = a_review(group=Group(case="other", draft_sha256=a_generation().sha256, size=2))

    evidence = evidence_of(an_outcome(**{**REVIEWED, "review": review}))

    assert (evidence.right, evidence.how, evidence.is_label) == (None, "bulk", False)


@pytest.mark.parametrize("reason", ["below_bar", "audit"])
def test_what_was_only_answered_in_bulk_is_no_label(reason):
    """`hitl answer --where 'confidence > 0.8' --decision approve` would give a bar without anybody having looked."""
    route = a_route(action="review", reason=reason, propensity=1)
    in_bulk, beside = a_verdict(bulk=True), a_verdict(reviewer="grace")
    found = [
        evidence_of(an_outcome(**{**REVIEWED, "route": route, "review": a_review(*verdicts)})).right
        for verdicts in ((in_bulk,), (beside, in_bulk))
    ]

    assert found == [None, True]


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"decision": "accept", "decided_by": "model", "review": None}, "accepted"),
        ({"decided_by": "deadline"}, "deadline"),
        ({"decided_by": "policy"}, "policy"),
        ({"route": a_route(reason="audit", propensity=0.05)}, "audit"),
        ({"review": a_review(a_verdict(bulk=True))}, "bulk"),
        ({"generation": a_generation(answer=None, status="invalid"), "decision": "edit"}, "blind"),
        ({}, "prefilled"),
    ],
)
def test_how_an_answer_came_about_is_told(changes, how):
    assert how_decided(an_outcome(**{**REVIEWED, **changes})) == how


def test_a_prompt_is_named_by_its_system_messages_or_by_its_own_version():
    """The user's part is another one in each case."""
    rules = Message(role="system", content="Be brief.")
    cases = [
        a_case(prompt="One."),
        a_case(prompt=(rules, Message(role="user", content="One."))),
        a_case(prompt=(rules, Message(role="user", content="Two."))),
        a_case(prompt="One.", metadata={"prompt_version": "v2"}),
    ]

    plain, one, two, versioned = (prompt_name(CaseRecord.of(case)) for case in cases)

    assert (plain, versioned) == ("-", "v2")
    assert one == two != plain


def test_a_store_tells_its_evidence_and_what_cannot_be_read(tmp_path):
    outcome, store = an_outcome(**REVIEWED), FolderStore(tmp_path)
    store.put_once(outcome_key(outcome), outcome.stored)
    store.put_once("outcomes/v1/task=invoices/dt=2026-01-02/bad.json", b"{")

    gathered = gather(store, "invoices")

    assert gathered.evidence == [evidence_of(outcome)]
    assert [one.key for one in gathered.unreadable] == ["outcomes/v1/task=invoices/dt=2026-01-02/bad.json"]
