"""Measurements of the reviewing, in a flow run: what the form hides, and that nothing said in them ships."""

import json
import re
import time

import pytest
from prefect import flow

from hitl_prefect import Policy, resolve_case
from hitl_prefect.people import Probes
from tests.prefect.flows.invoices import extract_invoice

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
WRONG = {"vendor": "ACME", "total": 22.5, "notes": {}}
SEEDED, BLIND = {"probes": {"seeded": 1}}, {"probes": {"blind": 1}}


def start(resident, document, policy, model=None):
    """A run that waits for a person, with the same draft each time."""
    model = model or resident.drafting(DRAFT)
    return resident.start(extract_invoice, document=document, policy=policy, model=model)


def finish(resident, run_id, **typed):
    """Answer the form that waits and run on; what was stored then."""
    resident.answer(run_id, **typed)
    resident.go_on(run_id)
    (outcome,) = resident.outcomes(run_id)
    return outcome


@flow
def streamed(store: str, model: str) -> None:
    policy = Policy(probes=Probes(blind=0.1))
    resolve_case("?", model=model, task="streamed", store=store, policy=policy, stream=True)


def first_line(resident, run_id):
    return resident.description(run_id).split("\n")[0]


@pytest.fixture
def seeded(resident, document):
    """A run that waits with a draft that was made wrong on purpose."""
    return start(resident, document, SEEDED)


@pytest.fixture
def blind(resident, document):
    """A run that waits for an answer without a draft."""
    return start(resident, document, BLIND)


def test_a_seeded_draft_that_was_approved_does_not_ship(resident, seeded):
    """The approval stands as a measurement; the same person then decides about the model's own draft."""
    shown = resident.form(seeded)["properties"]["answer"]["default"]
    resident.answer(seeded, decision="approve", reviewer="ada", channel="api")
    state = resident.go_on(seeded)
    told = first_line(resident, seeded)
    outcome = finish(resident, seeded, decision="approve", reviewer="ada")

    (probe,), (verdict,) = outcome["review"]["probes"], outcome["review"]["verdicts"]
    assert (shown["total"], state) == (22.5, "Suspended")
    assert told == (
        "` ada `: that was an exercise: its field ` total ` was made wrong on purpose; you let it pass. "
        "This is the model's own draft."
    )
    assert (outcome["final_answer"], outcome["decision"], outcome["decided_by"]) == (DRAFT, "approve", "human")
    assert (probe["kind"], probe["draft"], probe["verdict"]["answer"]) == ("seeded", WRONG, WRONG)
    assert (verdict["role"], verdict["answer"], verdict["draft_sha256"]) == (
        "reviewer",
        DRAFT,
        outcome["generation"]["sha256"],
    )


def test_a_seeded_form_looks_like_an_ordinary_one(resident, document):
    """But for the wrong field, the case, and what names the draft and the round."""
    model = resident.drafting(DRAFT)
    seeded, ordinary = start(resident, document, SEEDED, model), start(resident, document, {}, model)

    def shape(run_id, draft):
        text = json.dumps([resident.form(run_id), resident.description(run_id)])
        sha256 = resident.form(run_id)["x-hitl-draft-sha256"]
        for name in (run_id, sha256, sha256[:12]):
            text = text.replace(name, "-")
        return text.replace(str(draft["total"]), "-")

    assert shape(seeded, WRONG) == shape(ordinary, DRAFT)


def test_the_stakes_of_a_seeded_form_are_those_of_the_draft_that_it_shows(resident, document):
    """The inbox would else tell the total that the form hides: the expected loss divided by what is unsure."""
    run_id = start(resident, document, {**SEEDED, "error_cost": "total"})

    assert resident.run(run_id)["labels"]["hitl.expected_loss"] == 9.0  # (1 - 0.6) * 22.5


@pytest.mark.parametrize("decision", ["retry", "escalate", "reject"])
def test_whatever_else_is_said_of_a_seeded_draft_only_catches_it(resident, document, decision):
    """No further attempt, nobody else is asked, nothing is rejected: the ordinary form follows."""
    run_id = start(resident, document, {**SEEDED, "escalate_to": ["eve"]})
    resident.answer(run_id, decision=decision, reviewer="ada", guidance="look at the total")
    resident.go_on(run_id)
    told = first_line(resident, run_id)
    outcome = finish(resident, run_id, decision="approve", reviewer="bob")

    (probe,) = outcome["review"]["probes"]
    assert "you did not let it pass" in told
    assert (probe["verdict"]["decision"], probe["draft"]) == (decision, WRONG)
    assert (outcome["final_answer"], outcome["generation"]["attempt"], outcome["earlier"]) == (DRAFT, 1, [])
    assert (outcome["review"]["escalated"], outcome["review"]["settled"]["decided_by"]) == (False, "human")


@pytest.mark.parametrize("decision", ["approve", "edit"])
def test_a_seeded_form_that_was_left_open_does_not_ship_its_mistake(resident, seeded, decision):
    """The browser names no round: what another tab still shows is asked again once, with the draft in the fields."""
    resident.answer(seeded, decision="reject", reviewer="ada")
    resident.go_on(seeded)
    late = WRONG if decision == "approve" else WRONG | {"vendor": "Acme Ltd"}
    taken = resident.answer(seeded, decision=decision, reviewer="bob", answer=late)["status"]
    state = resident.go_on(seeded)
    told, filled = resident.description(seeded), resident.form(seeded)["properties"]["answer"]["default"]
    again = finish(resident, seeded, decision="edit", reviewer="bob", answer=WRONG)

    assert (taken, state, filled["total"], filled["vendor"]) == ("ACCEPT", "Suspended", 12.5, "ACME")
    assert "it says what the exercise before made wrong on purpose; if you mean it, choose edit" in " ".join(
        told.split()
    )
    assert (again["final_answer"], len(again["review"]["refused_answers"])) == (WRONG, 1)


def test_a_blind_form_holds_nothing_of_the_draft(resident, blind):
    """Neither fields nor description nor labels nor state: no answer, no score, no reason."""
    run = resident.run(blind)
    stored = json.dumps([resident.form(blind), resident.description(blind), run["labels"], run["state"]])
    offered = resident.form(blind)["properties"]["decision"]["enum"]

    # Seconds of a time are no amount.
    told = [
        word
        for word in ("ACME", "12.5", "0.6", "0.60", "cold", "Scores")
        if re.search(rf"(?<![:\d]){re.escape(word)}", stored)
    ]
    assert told == []
    assert offered == ["edit", "reject"]
    assert run["labels"]["hitl.confidence"] == ""


def test_a_blind_answer_does_not_ship(resident, blind):
    """It stands as a measurement; the ordinary form shows the model's draft and not what was said before."""
    resident.answer(blind, decision="edit", answer={"vendor": "Bolt", "total": 7}, reviewer="ada")
    resident.go_on(blind)
    described, filled = resident.description(blind), resident.form(blind)["properties"]["answer"]["default"]
    outcome = finish(resident, blind, decision="approve", reviewer="ada")

    (probe,) = outcome["review"]["probes"]
    assert described.startswith("` ada `: the form before this one came without a draft, to measure reviewing.")
    assert ("Bolt" in described, filled["vendor"], filled["total"]) == (False, "ACME", 12.5)
    assert (outcome["final_answer"], outcome["decision"]) == (DRAFT, "approve")
    assert (probe["kind"], probe["draft"]) == ("blind", None)
    assert probe["verdict"]["answer"] == {"vendor": "Bolt", "total": 7.0, "notes": {}}


def test_a_blind_answer_that_does_not_fit_is_asked_for_again_without_the_draft(resident, blind):
    """The person's own words are there to be mended."""
    resident.answer(blind, decision="edit", answer={"vendor": " ", "total": 7}, reviewer="ada")
    resident.go_on(blind)

    form = resident.form(blind)
    assert form["properties"]["answer"]["default"] == {"vendor": " ", "total": 7}
    assert "a vendor has a name" in resident.description(blind)
    assert "ACME" not in json.dumps([form, resident.description(blind)])


def test_a_quorum_follows_a_probe_in_full(resident, document):
    """The measurement is no vote; only the first form after it tells of it."""
    run_id = start(resident, document, {**SEEDED, "quorum": 2, "reviewers": ["ada", "bob", "eve"]})
    told = []
    for name in ("ada", "ada", "bob"):
        resident.answer(run_id, decision="approve", reviewer=name)
        resident.go_on(run_id)
        told += ["an exercise" in resident.description(run_id)] if name == "ada" else []

    (outcome,) = resident.outcomes(run_id)
    assert told == [True, False]
    assert [one["reviewer"] for one in outcome["review"]["verdicts"]] == ["ada", "bob"]
    assert (outcome["decided_by"], outcome["final_answer"]) == ("quorum", DRAFT)


def test_a_deadline_that_passes_on_a_probe_acts_as_declared(resident, document):
    """Nobody came: there is no measurement, and the policy's end applies."""
    run_id = start(resident, document, {**SEEDED, "deadline_s": 1, "on_deadline": "reject"})
    time.sleep(1.1)
    resident.force(run_id, "Resuming", "SCHEDULED")
    resident.go_on(run_id)

    (outcome,) = resident.outcomes(run_id)
    assert (outcome["decision"], outcome["decided_by"], outcome["review"]["probes"]) == ("reject", "deadline", [])


def test_a_draft_that_is_shown_while_it_is_written_spoils_the_probes(resident):
    """The run fails before the model is asked, and says what to leave out."""
    run_id = resident.start(streamed, model="scripted:nowhere.json")

    state = resident.run(run_id)["state"]
    assert (state["name"], "spoils the policy's probes: leave out one of the two" in state["message"]) == (
        "Failed",
        True,
    )
