"""A person with a browser in the middle of a real flow: link, form, edit, submit, stored outcome."""

import json
from datetime import datetime

from tests.browser.pictures import picture
from tests.browser.uis import v2_first

LETTER = "On 14 March a burst pipe flooded my flat in Ghent. A rug (240 euros) and a lamp (35.50 euros) are ruined."
DRAFT = {
    "claimant": {"name": "Lena Peeters", "city": "Ghent"},
    "status": "open",
    "severity": 2,
    "happened_on": "2026-03-14",
    "items": [{"name": "rug", "value": 240.0}, {"name": "lamp", "value": 35.5}],
    "story": "A pipe burst.\nThe flat was flooded, and the rug and the lamp are ruined.",
}


@v2_first
def test_a_person_edits_the_draft_and_the_edit_is_stored(site, model, ui, tmp_path):
    """Every kind of field is shown as drafted; what is changed is what the outcome holds."""
    model.says[LETTER] = [json.dumps(DRAFT | {"confidence": 0.55})]
    run = site.start(site.deploy("claims.py:read_claim"), letter=LETTER)
    site.wait_for_question(run)

    ui.open(run)
    shown = read(ui)
    picture(ui, "form", tmp_path)
    change(ui)
    ui.submit()
    site.wait(run, "Completed")

    (outcome,) = site.outcomes(run)
    assert shown == DRAFT
    assert outcome["generation"]["answer"] == DRAFT
    assert outcome["final_answer"] == DRAFT | {
        "status": "paid",
        "severity": 4,
        "items": [{"name": "rug", "value": 260.0}, {"name": "lamp", "value": 35.5}],
        "story": "The pipe burst at night.",
    }
    assert (outcome["decision"], outcome["review"]["verdicts"][0]["reviewer"]) == ("edit", "ada")


def read(ui):
    """What the form shows, as the answer that it would send."""
    items = [
        {"name": ui.text("Answer", "Items", at, "Name"), "value": float(ui.text("Answer", "Items", at, "Value"))}
        for at in range(2)
    ]
    return {
        "claimant": {
            "name": ui.text("Answer", "Claimant", "Name"),
            "city": ui.text("Answer", "Claimant", "City"),
        },
        "status": ui.choice("Answer", "Status"),
        "severity": int(ui.text("Answer", "Severity")),
        "happened_on": _day(ui.day("Answer", "Happened On")),
        "items": items,
        "story": ui.text("Answer", "Story"),
    }


def _day(shown):
    """V1 shows `Mar 14th, 2026`, V2 `March 14th, 2026`."""
    month, day, year = shown.replace(",", "").split()
    return datetime.strptime(f"{month[:3]} {day[:-2]} {year}", "%b %d %Y").date().isoformat()


def change(ui):
    """What a person corrects."""
    ui.choose("edit", "Decision")
    ui.choose("paid", "Answer", "Status")
    ui.write("4", "Answer", "Severity")
    ui.write("260", "Answer", "Items", 0, "Value")
    ui.write("The pipe burst at night.", "Answer", "Story")
    ui.write("ada", "Reviewer")
