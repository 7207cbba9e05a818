"""What a review does in a deployment: wait, apply, ask again, end."""

import json
import time

import pytest

from tests.prefect.flows import invoices
from tests.prefect.installation import DRAFT
from tests.prefect.terminal import hitl
from tests.wire.loopback import Said

CAREFUL = {"min_confidence": 0.9}
EDITED = {"vendor": "ACME", "total": 125.0, "notes": {}}
DRAFTED = {"vendor": "ACME", "total": 12.5, "notes": {}}


@pytest.fixture(autouse=True)
def _asking_loopback(model, monkeypatch):
    """The flows run in this process: its OpenAI is the loopback server."""
    for name, value in model.ai.env_of("openai").items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def waiting(resident, document):
    """A run that waits for a person."""
    return resident.start(invoices.extract_invoice, document=document, policy=CAREFUL)


def test_a_sure_draft_ships_without_a_person(resident, document, model):
    """At or above the bar nobody is asked."""
    run = resident.start(invoices.extract_invoice, document=document, policy={"min_confidence": 0.6})

    (outcome,) = resident.outcomes(run)
    assert (outcome["decision"], outcome["decided_by"], outcome["review"]) == ("accept", "model", None)
    assert (outcome["final_answer"], len(model.calls(document))) == (DRAFTED, 1)


def test_an_unsure_draft_waits_and_the_edit_ships(resident, waiting, document, model):
    """The flow suspends, a person edits, the outcome holds both answers; the model is asked once."""
    assert resident.state(waiting) == "Suspended"

    assert resident.answer(waiting, decision="edit", answer=EDITED, reviewer="ada")["status"] == "ACCEPT"
    assert resident.go_on(waiting) == "Completed"

    (outcome,) = resident.outcomes(waiting)
    assert (outcome["final_answer"], outcome["generation"]["answer"]) == (EDITED, DRAFTED)
    assert (outcome["decision"], outcome["decided_by"]) == ("edit", "human")
    assert outcome["review"]["verdicts"][0]["draft_sha256"] == outcome["generation"]["sha256"]
    assert len(model.calls(document)) == 1


def test_an_empty_resume_decides_nothing(resident, waiting):
    """The decision has no default: the server refuses a bare resume, and the run goes on waiting."""
    refused = resident.answer(waiting)

    assert (refused["status"], resident.state(waiting)) == ("REJECT", "Suspended")


def test_a_run_that_is_set_running_without_an_answer_asks_again(resident, waiting):
    """Prefect lets anybody set a state past the form; nobody has decided, so a new form is shown."""
    resident.force(waiting, "Resuming", "SCHEDULED")
    resident.go_on(waiting)
    resident.answer(waiting, decision="approve")
    assert resident.go_on(waiting) == "Completed"

    (outcome,) = resident.outcomes(waiting)
    assert outcome["decision"] == "approve"


def test_an_answer_that_does_not_validate_is_asked_again(resident, waiting):
    """What only the type itself can refuse comes back with the error and with what was typed."""
    resident.answer(waiting, decision="edit", answer={"vendor": "  ", "total": 77.5}, reviewer="ada")
    resident.go_on(waiting)
    again = resident.description(waiting)
    resident.answer(waiting, decision="edit", answer=EDITED, reviewer="ada")
    assert resident.go_on(waiting) == "Completed"

    (outcome,) = resident.outcomes(waiting)
    assert "a vendor has a name" in again
    assert "77.5" in again
    assert (outcome["final_answer"], len(outcome["review"]["refused_answers"])) == (EDITED, 1)


def test_rejecting_ships_nothing(resident, waiting):
    """A rejected case has an outcome, and no answer."""
    resident.answer(waiting, decision="reject", reason="not an invoice")
    assert resident.go_on(waiting) == "Completed"

    (outcome,) = resident.outcomes(waiting)
    assert (outcome["decision"], outcome["final_answer"]) == ("reject", None)
    assert outcome["review"]["verdicts"][0]["reason"] == "not an invoice"


def test_retry_asks_the_model_again_with_the_guidance_and_the_reviewer_again(resident, document, model):
    """Attempt 2 sees the earlier draft and the reviewer's words; however sure it is, the reviewer sees it."""
    model.says[document] = [DRAFT, DRAFT.replace("12.5", "125").replace("0.6", "0.99")]
    run = resident.start(invoices.extract_invoice, document=document, policy=CAREFUL | {"max_attempts": 2})
    resident.answer(run, decision="retry", guidance="The comma is a thousands separator.")
    resident.go_on(run)
    offered = resident.form(run)["properties"]["decision"]["enum"]
    resident.answer(run, decision="approve")
    assert resident.go_on(run) == "Completed"

    (outcome,) = resident.outcomes(run)
    assert "thousands separator" in str(model.calls(document)[1]["messages"][-1])
    assert (outcome["final_answer"], outcome["generation"]["attempt"], len(outcome["earlier"])) == (EDITED, 2, 1)
    assert ("retry" in offered, len(model.calls(document))) == (False, 2)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said("I cannot help with that.", finish="refusal"), "refused"),
        (Said(DRAFT[:20], finish="length"), "truncated"),
        (Said("Sure! The vendor is ACME."), "invalid"),
        (Said(DRAFT.replace("12.5", "-1")), "invalid"),
    ],
    ids=["refusal", "cut-off", "prose", "out-of-bounds"],
)
def test_a_reply_that_is_no_answer_goes_to_a_person(resident, document, model, said, reason):
    """It never fails the run, and cannot be approved."""
    model.says[document] = [said]
    run = resident.start(invoices.extract_invoice, document=document, policy=CAREFUL)
    offered = resident.form(run)["properties"]["decision"]["enum"]
    resident.answer(run, decision="edit", answer=EDITED)
    assert resident.go_on(run) == "Completed"

    (outcome,) = resident.outcomes(run)
    assert (outcome["route"]["reason"], outcome["final_answer"]) == (reason, EDITED)
    assert "approve" not in offered


@pytest.mark.parametrize("flow", ["parent", "inside_a_task"])
def test_where_a_review_cannot_wait_the_run_fails_before_the_model_is_asked(resident, document, model, flow):
    """A subflow and a task cannot suspend: the message says what to do."""
    run = resident.start(getattr(invoices, flow), document=document, policy=CAREFUL)

    assert resident.state(run) == "Failed"
    assert "call it in the" in resident.run(run)["state"]["message"]
    assert model.calls(document) == []


def test_nobody_coming_ends_as_the_policy_declares(resident, document):
    """The deadline decides, and the outcome says so; a person who comes later finds nothing to answer."""
    policy = CAREFUL | {"deadline_s": 1, "on_deadline": "fallback", "fallback": {"vendor": "unknown", "total": 0}}
    run = resident.start(invoices.extract_invoice, document=document, policy=policy)
    time.sleep(1)
    resident.chase()
    assert resident.go_on(run) == "Completed"

    (outcome,) = resident.outcomes(run)
    assert (outcome["decision"], outcome["decided_by"]) == ("fallback", "deadline")
    assert outcome["final_answer"]["vendor"] == "unknown"
    assert resident.answer(run, decision="approve")["status"] == "ABORT"


def test_escalating_hands_over_to_the_named_people(resident, document):
    """A reviewer and a deadline both can; then only those people may answer, and nobody can escalate again."""
    policy = CAREFUL | {"escalate_to": ["chief"], "on_deadline": "escalate", "deadline_s": 1}
    flow = invoices.extract_invoice
    by_person, by_deadline = (resident.start(flow, document=document, policy=policy) for _ in range(2))
    resident.answer(by_person, decision="escalate", reviewer="ada", reason="too large for me")
    time.sleep(1)
    resident.chase()
    for run in (by_person, by_deadline):
        resident.go_on(run)
        form = resident.form(run)["properties"]
        assert (form["reviewer"]["enum"], "escalate" in form["decision"]["enum"]) == (["chief"], False)
        assert resident.answer(run, decision="approve", reviewer="ada")["status"] == "REJECT"
        resident.answer(run, decision="approve", reviewer="chief")
        assert resident.go_on(run) == "Completed"

    (one,), (other,) = resident.outcomes(by_person), resident.outcomes(by_deadline)
    assert [verdict["reviewer"] for verdict in one["review"]["verdicts"]] == ["ada", "chief"]
    assert (other["review"]["escalated"], other["decided_by"]) == (True, "human")


def test_a_person_beats_a_deadline_that_has_passed(resident, document):
    """Who answers before the upkeep comes round is heard."""
    policy = CAREFUL | {"deadline_s": 1, "on_deadline": "reject"}
    run = resident.start(invoices.extract_invoice, document=document, policy=policy)
    resident.answer(run, decision="approve")
    time.sleep(1)
    resident.chase()
    assert resident.go_on(run) == "Completed"

    (outcome,) = resident.outcomes(run)
    assert (outcome["decision"], outcome["decided_by"]) == ("approve", "human")


def test_what_prefect_would_render_is_kept_as_it_is(resident, document, model):
    """`__prefect_kind` in a draft and in an answer is data, not a template."""
    trap = {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}
    model.says[document] = [json.dumps({"vendor": "ACME", "total": 1, "notes": trap, "confidence": 0.1})]
    approved, edited = (resident.start(invoices.extract_invoice, document=document, policy=CAREFUL) for _ in range(2))
    for run in (approved, edited):
        resident.wait_for_question(run)
    prefill = resident.form(approved)["properties"]["answer"].get("default")
    resident.answer(approved, decision="approve", **({"answer": prefill} if prefill else {}))
    typed = json.dumps({"vendor": "B", "total": 2, "notes": {"x": trap}})
    done = hitl(resident.server.api_url, "answer", edited, "--decision", "edit", "--answer", typed)
    for run in (approved, edited):
        assert resident.go_on(run) == "Completed"

    assert done.code == 0, done.err
    assert [one["final_answer"]["notes"] for one in resident.outcomes(approved) + resident.outcomes(edited)] == [
        trap,
        {"x": trap},
    ]
