"""Answers of each kind in both UIs, from the form to the stored outcome, and the same through the other two doors."""

import pytest

from tests.browser.pictures import picture
from tests.browser.uis import v2_first
from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.flows.letters import answer_letter
from tests.prefect.terminal import Terminal

LETTER = "Dear shop,\n\nthe lamp that I bought on 3 March does not light. May I send it back?\n\nLena Peeters"
CURT = "Send it back."
KIND = "Dear Ms Peeters,\n\nwe are sorry. Please send the lamp back; the postage is on us.\n\nYour shop"
INVOICE = {"vendor": "ACME", "total": 12.5, "notes": {}}
CHANGED = INVOICE | {"vendor": "ACME Ltd"}


@v2_first
def test_a_text_is_edited(resident, ui, tmp_path):
    """The draft stands in the box, line breaks included; what stands there when it is sent ships."""
    model = resident.drafting({"answer": KIND})
    run = resident.start(answer_letter, letter=LETTER, policy={}, model=model)

    ui.open(run)
    shown = ui.text("Answer")
    picture(ui, "text", tmp_path)
    ui.choose("edit", "Decision")
    ui.write(KIND.replace("sorry", "very sorry"), "Answer")
    ui.write("ada", "Reviewer")
    ui.submit()
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (shown, outcome["generation"]["answer"]) == (KIND, KIND)
    assert outcome["final_answer"] == KIND.replace("sorry", "very sorry")


@v2_first
def test_the_model_tries_again_with_the_guidance_of_a_person(resident, ui, tmp_path):
    """The second draft comes into the same run's next form, and is what is approved."""
    model = resident.drafting({"answer": CURT}, {"answer": KIND})
    run = resident.start(answer_letter, letter=LETTER, policy={}, model=model)

    ui.open(run)
    ui.choose("retry", "Decision")
    ui.write("Be kind, and say who pays the postage.", "Guidance")
    ui.write("ada", "Reviewer")
    ui.submit()
    resident.go_on(run)
    ui.open(run)
    shown = ui.text("Answer")
    picture(ui, "retry", tmp_path)
    ui.choose("approve", "Decision")
    ui.submit()
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (shown, outcome["final_answer"], outcome["generation"]["attempt"]) == (KIND, KIND, 2)
    assert [one["generation"]["answer"] for one in outcome["earlier"]] == [CURT]


@v2_first
@pytest.mark.parametrize("decision", [pytest.param("approve", marks=pytest.mark.full), "edit"])
def test_three_doors_leave_the_same_record(resident, ui, decision):
    """Browser, command line and REST: the verdicts differ in the door, in times, and in what names this run."""
    model = resident.drafting(INVOICE)
    runs = [resident.start(extract_invoice, document="one for three doors", policy={}, model=model) for _ in range(3)]
    in_the_browser(ui, runs[0], decision)
    on_the_command_line(resident, runs[1], decision)
    over_rest(resident, runs[2], decision)
    for run in runs:
        resident.go_on(run)

    outcomes = [outcome for run in runs for outcome in resident.outcomes(run)]
    verdicts = [comparable(outcome) for outcome in outcomes]
    assert verdicts == [verdicts[0] | {"channel": channel} for channel in ("ui", "cli", "api")]
    assert [outcome["final_answer"] for outcome in outcomes] == [INVOICE if decision == "approve" else CHANGED] * 3


def in_the_browser(ui, run, decision):
    ui.open(run)
    ui.choose(decision, "Decision")
    if decision == "edit":
        ui.write("ACME Ltd", "Answer", "Vendor")
    ui.write("checked", "Reason")
    ui.write("ada", "Reviewer")
    ui.submit()


def on_the_command_line(resident, run, decision):
    answer = [] if decision == "approve" else ["--answer", '{"vendor": "ACME Ltd", "total": 12.5, "notes": {}}']
    words = [run, "--decision", decision, *answer, "--reason", "checked", "--reviewer", "ada"]
    with Terminal(resident.server.api_url, "answer", *words) as terminal:
        assert terminal.end() == 0, terminal.screen


def over_rest(resident, run, decision):
    answer = {} if decision == "approve" else {"answer": CHANGED}
    told = resident.answer(run, decision=decision, **answer, reason="checked", reviewer="ada", channel="api")
    assert told["status"] == "ACCEPT"


def comparable(outcome):
    """The one verdict, without times and without what names the run; that it names the draft is checked here."""
    (verdict,) = outcome["review"]["verdicts"]
    assert verdict["draft_sha256"] == outcome["generation"]["sha256"]
    gone = ("opened_at", "decided_at", "seen_at", "draft_sha256", "form_sha256")
    return {name: value for name, value in verdict.items() if name not in gone}
