"""Several people in one flow run: who is asked, what is merged, who dissented."""

import json
import time
from typing import Any

import pytest
from prefect import flow

from hitl_prefect import Outcome, Policy, resolve_case
from tests.prefect.flows.invoices import Invoice, extract_invoice

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
OTHER = DRAFT | {"total": 13.0}
TWO = {"quorum": 2, "reviewers": ["ada", "bob", "eve"]}


@flow
def requested_invoice(document: str, store: str, policy: Policy, model: str, requester: str) -> Outcome[Invoice]:
    return resolve_case(
        document, answer=Invoice, model=model, task="invoices", policy=policy, store=store, requester=requester
    )


@pytest.fixture
def asking(resident, document):
    """Starts a run that waits for the first person of a policy."""

    def started(policy: dict[str, Any], *drafts: Any) -> str:
        model = resident.drafting(*(drafts or (DRAFT,)))
        return resident.start(extract_invoice, document=document, policy=policy, model=model)

    return started


@pytest.fixture
def waiting(asking):
    """A run that waits for the first of two people."""
    return asking(TWO)


def say(resident, run, decision, reviewer, **typed):
    """Somebody answers, and the run goes on until it waits again or ends."""
    assert resident.answer(run, decision=decision, reviewer=reviewer, **typed)["status"] == "ACCEPT"
    return resident.go_on(run)


def people(resident, run):
    """Who may answer, as the form lists them."""
    return resident.form(run)["properties"]["reviewer"]["enum"]


def ending(outcome):
    return outcome["decided_by"], outcome["decision"], outcome["final_answer"]


def names(outcome):
    return [(one["reviewer"], one["role"], one["decision"]) for one in outcome["review"]["verdicts"]]


def test_two_who_agree_decide(resident, waiting):
    """The first answer alone decides nothing; the second is asked without being told of it."""
    after_one = say(resident, waiting, "approve", "ada")
    offered = people(resident, waiting)
    say(resident, waiting, "approve", "bob")

    (outcome,) = resident.outcomes(waiting)
    assert (after_one, offered) == ("Suspended", ["bob", "eve"])
    assert ending(outcome) == ("quorum", "approve", DRAFT)
    assert outcome["review"]["settled"]["dissent"] == []


def test_the_second_sees_nothing_of_the_first(resident, waiting):
    """What is stored for the second says that one of two has answered, and not a word of it."""
    first = DRAFT | {"vendor": "Zyx", "total": 98.25}
    say(resident, waiting, "edit", "ada", answer=first, reason="quixotic", guidance="vexed")
    stored = json.dumps([resident.form(waiting), resident.description(waiting)])

    assert "1 of 2 have answered" in resident.description(waiting)
    assert [word for word in ("Zyx", "98.25", "quixotic", "vexed") if word in stored] == []


def test_a_tie_breaker_decides_where_two_disagree(resident, waiting):
    """With both answers in view; the outcome keeps what was said and did not become the answer."""
    say(resident, waiting, "approve", "ada", reason="as on paper")
    say(resident, waiting, "edit", "bob", answer=OTHER)
    told, offered = resident.description(waiting), people(resident, waiting)
    say(resident, waiting, "edit", "eve", answer=OTHER)

    (outcome,) = resident.outcomes(waiting)
    assert offered == ["eve"]
    assert "- ` ada `: approve, because ` as on paper `" in told
    assert "| ` total ` | ` 12.5 ` | the draft, ` ada ` |\n| ` total ` | ` 13.0 ` | ` bob ` |" in told
    assert ending(outcome) == ("quorum", "edit", OTHER)
    assert outcome["review"]["settled"]["dissent"] == [{"field": "total", "value": 12.5, "reviewers": ["ada"]}]
    assert names(outcome) == [
        ("ada", "reviewer", "approve"),
        ("bob", "reviewer", "edit"),
        ("eve", "tie_breaker", "edit"),
    ]


def test_nobody_answers_twice(resident, asking):
    """In another spelling the name passes the server's form; the run asks again, says why, and shows no answer."""
    run = asking({"quorum": 2})
    say(resident, run, "approve", "ada")
    say(resident, run, "edit", " ADA ", answer=DRAFT | {"total": 98.25})
    again = resident.description(run)
    stored = json.dumps([resident.form(run), again])
    say(resident, run, "approve", "bob")

    (outcome,) = resident.outcomes(run)
    assert "ADA has answered this case already" in again
    assert "98.25" not in stored
    assert [one["typed"]["answer"]["total"] for one in outcome["review"]["refused_answers"]] == [98.25]
    assert names(outcome) == [("ada", "reviewer", "approve"), ("bob", "reviewer", "approve")]


def test_a_row_written_past_the_form_counts_for_nobody_barred(resident, waiting):
    """The flow checks the name itself, whoever wrote the answer into the database."""
    say(resident, waiting, "approve", "ada")
    key = resident.run(waiting)["state"]["state_details"]["run_input_keyset"]["response"]
    row = {"decision": "approve", "answer": DRAFT, "reviewer": "ada"}
    resident.api.post(f"/flow_runs/{waiting}/input", json={"key": key, "value": json.dumps(row)}).raise_for_status()
    resident.force(waiting, "Resuming", "SCHEDULED")

    assert resident.go_on(waiting) == "Suspended"
    assert "this form is for bob, eve" in resident.description(waiting)
    assert resident.outcomes(waiting) == []


def test_who_asked_for_a_case_does_not_review_it(resident, document):
    """Whatever the spelling; another does."""
    run = resident.start(
        requested_invoice, document=document, policy={}, model=resident.drafting(DRAFT), requester="Ada"
    )
    say(resident, run, "approve", "ada ")
    again = resident.description(run)
    say(resident, run, "approve", "bob")

    (outcome,) = resident.outcomes(run)
    assert "ada has answered this case already, or asked for it; somebody else must answer" in again
    assert (outcome["case"]["requester"], names(outcome)) == ("Ada", [("bob", "reviewer", "approve")])


def test_a_requester_whom_the_list_cannot_spare_fails_before_the_model_is_asked(resident, document):
    """The policy could be honoured for anybody else."""
    run = resident.start(
        requested_invoice,
        document=document,
        policy=TWO | {"reviewers": ["ada", "bob"], "tie_breakers": ["eve"]},
        model="scripted:nowhere.json",
        requester="ada",
    )

    state = resident.run(run)["state"]
    assert (state["name"], resident.outcomes(run)) == ("Failed", [])
    assert "2 different people must answer, and reviewers names 1 without 'ada', who asked" in state["message"]


def test_escalation_in_the_middle_of_a_quorum_acts_at_once(resident, asking):
    """Who it was handed to sees who did and why, and decides alone; the first's answer is kept as dissent."""
    run = asking(TWO | {"escalate_to": ["sue"]})
    say(resident, run, "edit", "ada", answer=OTHER)
    say(resident, run, "escalate", "bob", reason="I know them")
    told, offered = resident.description(run), people(resident, run)
    say(resident, run, "approve", "sue")

    (outcome,) = resident.outcomes(run)
    assert told.startswith("**This case was escalated to you** by ` bob `, because ` I know them `.\n\n- ` ada `: edit")
    assert (offered, ending(outcome)) == (["sue"], ("human", "approve", DRAFT))
    assert outcome["review"]["settled"]["dissent"] == [{"field": "total", "value": 13.0, "reviewers": ["ada"]}]


def test_who_handed_a_case_over_does_not_decide_the_next_attempt_alone(resident, asking):
    """The others of whom it was handed to do."""
    run = asking({"reviewers": ["ada"], "escalate_to": ["ada", "eve"]}, DRAFT, OTHER)
    say(resident, run, "escalate", "ada")
    first = people(resident, run)
    say(resident, run, "retry", "eve", guidance="Look at the cents.")
    second = people(resident, run)
    say(resident, run, "approve", "eve")

    (outcome,) = resident.outcomes(run)
    assert (first, second) == (["eve"], ["eve"])
    assert names(outcome) == [
        ("ada", "reviewer", "escalate"),
        *(("eve", "escalated", one) for one in ("retry", "approve")),
    ]


def test_nobody_escalates_to_themselves(resident, asking):
    """One of two would else decide alone."""
    run = asking(TWO | {"escalate_to": ["ada"]})
    say(resident, run, "escalate", "ada")

    assert "ada is the only one to escalate to" in resident.description(run)
    assert people(resident, run) == ["ada", "bob", "eve"]


def test_retry_in_the_middle_of_a_quorum_acts_at_once(resident, asking):
    """The next attempt needs two again, and whoever answered the one before may answer it."""
    run = asking(TWO, DRAFT, OTHER)
    say(resident, run, "approve", "ada")
    say(resident, run, "retry", "bob", guidance="Look at the cents.")
    offered = people(resident, run)
    say(resident, run, "approve", "ada")
    say(resident, run, "approve", "bob")

    (outcome,) = resident.outcomes(run)
    assert offered == ["ada", "bob", "eve"]
    assert ending(outcome) == ("quorum", "approve", OTHER)
    assert [one["attempt"] for one in outcome["review"]["verdicts"]] == [1, 1, 2, 2]


def test_a_form_that_was_open_while_another_answered_counts_as_the_second(resident, waiting):
    """The server refuses it as long as the run is on its way; then the same answer is taken, and nothing is lost."""
    as_shown = {"decision": "edit", "answer": OTHER, "reviewer": "bob"}
    resident.answer(waiting, decision="edit", answer=OTHER, reviewer="ada")
    too_early = resident.answer(waiting, **as_shown)["status"]
    resident.go_on(waiting)
    taken = resident.answer(waiting, **as_shown)["status"]
    resident.go_on(waiting)

    (outcome,) = resident.outcomes(waiting)
    assert (too_early, taken) == ("ABORT", "ACCEPT")
    assert ending(outcome) == ("quorum", "edit", OTHER)
    assert names(outcome) == [("ada", "reviewer", "edit"), ("bob", "reviewer", "edit")]


def test_an_override_of_a_confident_draft_is_seconded(resident, asking):
    """By somebody who is not told what the first said; an approval is not."""
    rule = {"overrode_at": 0.6, "words_per_minute": None}
    policy = {"second_opinion": rule, "reviewers": ["ada", "bob", "eve"]}
    overridden, approved = asking(policy), asking(policy)
    say(resident, overridden, "edit", "ada", answer=DRAFT | {"total": 98.25})
    stored = json.dumps([resident.form(overridden), resident.description(overridden)])
    say(resident, overridden, "edit", "bob", answer=DRAFT | {"total": 98.25})
    say(resident, approved, "approve", "ada")

    (two,), (one,) = resident.outcomes(overridden), resident.outcomes(approved)
    assert "98.25" not in stored
    assert ending(two) == ("quorum", "edit", DRAFT | {"total": 98.25})
    assert names(two) == [("ada", "reviewer", "edit"), ("bob", "second", "edit")]
    assert (ending(one), names(one)) == (("human", "approve", DRAFT), [("ada", "reviewer", "approve")])


def test_a_time_that_cannot_be_is_not_believed(resident, asking):
    """Who says that they have looked for years was still faster than anybody reads, and is seconded."""
    run = asking({"second_opinion": {"overrode_at": None, "words_per_minute": 1}})
    say(resident, run, "approve", "ada", seen_at="2001-01-01T00:00:00+00:00")
    say(resident, run, "approve", "bob")

    (outcome,) = resident.outcomes(run)
    assert [one["seen_at"] for one in outcome["review"]["verdicts"]] == [None, None]
    assert names(outcome) == [("ada", "reviewer", "approve"), ("bob", "second", "approve")]


def test_a_deadline_with_one_of_two_answers_is_no_agreement(resident, asking):
    """The deadline decides as declared; what the one said is kept beside it."""
    run = asking(TWO | {"deadline_s": 1, "on_deadline": "reject"})
    say(resident, run, "approve", "ada")
    time.sleep(1.1)
    resident.force(run, "Resuming", "SCHEDULED")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert ending(outcome) == ("deadline", "reject", None)
    assert names(outcome) == [("ada", "reviewer", "approve")]
