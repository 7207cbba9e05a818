"""Bad input in the browser: what the person is told, and that nothing of theirs is lost."""

from playwright.sync_api import expect

from hitl_prefect.bounds import MAX_TYPED_BYTES
from tests.browser.uis import v2_first
from tests.prefect.flows.letters import answer_letter

DRAFT = "Please send the lamp back."


def start(resident, **policy):
    """A run that waits with a text as its draft."""
    model = resident.drafting({"answer": DRAFT})
    return resident.start(answer_letter, letter="The lamp is dark.", policy=policy, model=model)


@v2_first
def test_a_text_that_is_too_long_is_asked_for_again(resident, ui):
    """The box holds the draft again, the other fields what was typed, and the message says where the whole stands."""
    run = start(resident)
    ui.open(run)
    ui.choose("edit", "Decision")
    ui.write("x" * MAX_TYPED_BYTES, "Answer")
    ui.write("all of it", "Reason")
    ui.submit()
    resident.go_on(run)

    ui.open(run)
    told = resident.description(run)
    assert (ui.text("Answer"), ui.text("Reason")) == (DRAFT, "all of it")
    assert "bytes are too many, at most 1,000,000; shorten it" in told
    assert "all that was typed stays in this flow run's input suspended-" in told


@v2_first
def test_who_is_second_is_told_that_somebody_was_faster(resident, ui):
    """The form was open while another answered; the first answer stands."""
    run = start(resident)
    ui.open(run)
    ui.choose("approve", "Decision")
    # V2 closes the form by itself when it learns, some seconds later, that the run waits no longer.
    ui.learn_nothing_new()
    resident.answer(run, decision="reject", reviewer="bob")
    ui.press_submit()
    expect(ui.page.get_by_text("Cannot resume a flow run that is not paused").first).to_be_visible()
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert [one["reviewer"] for one in outcome["review"]["verdicts"]] == ["bob"]


@v2_first
def test_a_form_that_another_has_answered_since_does_not_answer_the_next_round(resident, ui):
    """The browser does not send `round`; whoever is named twice is asked for somebody else."""
    run = start(resident, quorum=2)
    ui.open(run)
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)
    ui.choose("approve", "Decision")
    ui.write("ada", "Reviewer")
    ui.submit()
    resident.go_on(run)

    assert resident.state(run) == "Suspended"
    assert "reviewer: ada has answered this case already" in resident.description(run)
