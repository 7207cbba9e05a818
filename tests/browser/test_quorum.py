"""Two people with a browser, one after the other, and a third who decides where they disagree."""

import pytest
from prefect import flow
from pydantic import BaseModel

from hitl_prefect import Outcome, Policy, resolve_case
from tests.browser.pictures import picture
from tests.browser.uis import v2_first

POLICY = Policy(quorum=2, reviewers=("ada", "bob", "eve"))
LETTER = "On 14 March a burst pipe flooded my flat in Ghent. A rug for 240 euros is ruined. Lena Peeters"
DRAFT = {"claimant": "Lena Peeters", "total": 240.0}


class Claim(BaseModel):
    claimant: str
    total: float


@flow
def read_claim(letter: str, store: str, model: str) -> Outcome[Claim]:
    return resolve_case(letter, answer=Claim, model=model, task="claims", policy=POLICY, store=store)


@v2_first
@pytest.mark.full
def test_two_people_answer_one_after_the_other(resident, ui, tmp_path):
    """The second sees that one has answered and nothing of what; what both say ships."""
    run = resident.start(read_claim, letter=LETTER, model=resident.drafting(DRAFT))
    first = edit(resident, ui, run, "ada", "250.75")
    picture_of_second(ui, run, tmp_path)
    second, shown = ui.description.inner_text(), ui.text("Answer", "Total")
    edit(resident, ui, run, "bob", "250.75")

    (outcome,) = resident.outcomes(run)
    assert ("0 of 2 have answered." in first, "1 of 2 have answered." in second, shown) == (True, True, "240")
    assert "250.75" not in second
    assert (outcome["decided_by"], outcome["final_answer"]) == ("quorum", DRAFT | {"total": 250.75})


@pytest.mark.full
@v2_first
def test_a_third_sees_what_two_said_and_decides(resident, ui, tmp_path):
    """Who said what, as a table above the fields."""
    run = resident.start(read_claim, letter=LETTER, model=resident.drafting(DRAFT))
    edit(resident, ui, run, "ada", "250")
    edit(resident, ui, run, "bob", "260")
    ui.open(run)
    picture(ui, "tie-breaker", tmp_path)
    rows = ui.description.locator("tr").all_inner_texts()
    said = ui.description.locator("li").all_inner_texts()
    decide(resident, ui, run, "eve", "260")

    (outcome,) = resident.outcomes(run)
    assert [row.split() for row in rows[1:]] == [
        ["total", "240.0", "the", "draft"],
        ["total", "250.0", "ada"],
        ["total", "260.0", "bob"],
    ]
    assert said[:2] == ["ada: edit, because the rug", "bob: edit, because the rug"]
    assert (outcome["decided_by"], outcome["final_answer"]) == ("quorum", DRAFT | {"total": 260.0})
    assert outcome["review"]["settled"]["dissent"] == [{"field": "total", "value": 250.0, "reviewers": ["ada"]}]


def picture_of_second(ui, run, folder):
    """What the second of two sees."""
    ui.open(run)
    picture(ui, "quorum", folder)


def edit(resident, ui, run, reviewer, total):
    """Open the form, correct the total and submit; returns what stood above the fields."""
    ui.open(run)
    shown = ui.description.inner_text()
    decide(resident, ui, run, reviewer, total)
    return shown


def decide(resident, ui, run, reviewer, total):
    """Correct the total in the form that is open, submit, and let the run go on."""
    ui.choose("edit", "Decision")
    ui.write(total, "Answer", "Total")
    ui.write("the rug", "Reason")
    ui.choose(reviewer, "Reviewer")
    ui.submit()
    resident.go_on(run)
