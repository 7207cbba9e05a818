"""What the clock does to a review: people are reminded, more are asked, it ends; and a person who is first wins."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from hitl_prefect import Policy, revive_dead_runs
from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.terminal import hitl
from tests.servers.machine import wait_until
from tests.servers.prefect import patch
from tests.servers.proxy import store_proxy

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
FALLBACK = {"vendor": "unknown", "total": 0}
RACES = 50 if os.environ.get("HITL_FULL") == "1" else 5


def chased(resident, run):
    """What the upkeep does about this run a second from now."""
    time.sleep(1.1)
    return [one.did for one in resident.chase() if str(one.run_id) == run]


@pytest.mark.parametrize(
    ("policy", "decision", "final_answer"),
    [
        ({"on_deadline": "reject"}, "reject", None),
        ({"on_deadline": "fallback", "fallback": FALLBACK}, "fallback", FALLBACK | {"notes": {}}),
    ],
    ids=["reject", "fallback"],
)
def test_the_declared_end_is_stored_as_the_deadlines(resident, ask, policy, decision, final_answer):
    """Nobody said anything, and the outcome says so; it never counts as agreement."""
    run = ask(deadline_s=1, **policy)
    did = chased(resident, run)
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (did, outcome["decided_by"], outcome["decision"]) == (["woken"], "deadline", decision)
    assert (outcome["final_answer"], outcome["review"]["verdicts"]) == (final_answer, [])


def test_holding_goes_on_waiting_and_reminding(resident, ask):
    """Each is told once however often the upkeep comes by, and also after the deadline."""
    run = ask(deadline_s=1, on_deadline="hold", remind_after_s=[1, 3600])
    did = [chased(resident, run) for _ in range(3)]

    assert resident.state(run) == "Suspended"
    assert [sorted(one) for one in did] == [["overdue", "reminded-1"], [], []]


@pytest.mark.parametrize(
    "broken",
    [{"hitl.schedule": "soon"}, {"hitl.opened_at": "then", "hitl.people": "ada"}],
    ids=["schedule", "inbox"],
)
def test_a_run_with_broken_labels_holds_up_no_other(resident, ask, broken):
    """Whoever reaches the API can change the labels of a run; the deadlines of all others still act."""
    bad, good = ask(deadline_s=3600), ask(deadline_s=1, on_deadline="reject")
    patch(resident.api, f"/flow_runs/{bad}/labels", broken).raise_for_status()
    did = chased(resident, good)
    resident.look()
    listed = [one["run_id"] for one in json.loads(hitl(resident.server.api_url, "inbox", "--json").out)["waiting"]]
    resident.force(bad, "Cancelled", "CANCELLED")

    assert (did, bad in listed) == (["woken"], "hitl.schedule" in broken)


def test_after_a_while_the_second_group_is_asked_as_well(resident, ask):
    """The first may still answer; who answers decides, and the review says that it was widened."""
    run = ask(reviewers=["ada"], widen_after_s=1, widen_to=["bob"], deadline_s=3600, on_deadline="reject")
    before = resident.form(run)["properties"]["reviewer"]["enum"]
    did = chased(resident, run)
    resident.go_on(run)
    after = resident.form(run)["properties"]["reviewer"]["enum"]
    resident.answer(run, decision="approve", reviewer="bob")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (before, did, after) == (["ada"], ["woken"], ["ada", "bob"])
    assert (outcome["decided_by"], outcome["review"]["widened"]) == ("human", True)


def test_widened_in_vain_ends_at_the_deadline_that_was_set_at_first(resident, ask):
    """The second group does not get the whole time again."""
    run = ask(reviewers=["ada"], widen_after_s=1, widen_to=["bob"], deadline_s=2, on_deadline="reject")
    did = []
    for _ in range(3):
        did += chased(resident, run)
        resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (did, outcome["decided_by"], outcome["review"]["widened"]) == (["woken", "woken"], "deadline", True)


def test_escalated_by_the_deadline_it_holds(resident, ask):
    """Who it was handed to decides, and is waited for."""
    run = ask(escalate_to=["chief"], deadline_s=1, on_deadline="escalate")
    did = chased(resident, run)
    resident.go_on(run)
    again = chased(resident, run)
    resident.answer(run, decision="reject", reviewer="chief")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (did, again) == (["woken"], ["overdue"])
    assert (outcome["decided_by"], outcome["decision"], outcome["review"]["escalated"]) == ("human", "reject", True)


@pytest.fixture
def raced(resident):
    """Lets things happen to a run at once, each on a thread of its own; what each returned."""

    def race(*things):
        with ThreadPoolExecutor(len(things)) as threads:
            return [one.result() for one in [threads.submit(thing) for thing in things]]

    return race


@pytest.mark.parametrize("number", range(RACES))
def test_a_person_and_the_deadline_have_one_winner(resident, ask, raced, number):
    """Whoever the server takes decides; who was too late is told so; one outcome, and nothing that contradicts it."""
    run = ask(deadline_s=1, on_deadline="reject")
    time.sleep(1.1)
    # A look at what is due, which only reads, takes about as long as the upkeep takes to its waking.
    began = time.monotonic()
    resident.look()
    takes_s = time.monotonic() - began
    draft = resident.form(run)["x-hitl-draft-sha256"]

    def person():
        time.sleep(takes_s * (0.6 + number % 5 * 0.2))
        return resident.resume(run, decision="approve", draft_sha256=draft)

    status, _ = raced(person, resident.chase)
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    won = ("human", "approve", 1) if status == "ACCEPT" else ("deadline", "reject", 0)
    assert (outcome["decided_by"], outcome["decision"], len(outcome["review"]["verdicts"])) == won
    assert resident.answer(run, decision="approve")["status"] == "ABORT"


def test_two_upkeeps_at_once_end_a_review_once(resident, ask, raced):
    """Also where one of them is late, and wakes a run that has ended."""
    run = ask(deadline_s=1, on_deadline="reject")
    time.sleep(1.1)
    raced(resident.chase, resident.chase)
    resident.go_on(run)
    resident.force(run, "Resuming", "SCHEDULED")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (outcome["decided_by"], resident.state(run)) == ("deadline", "Completed")


def test_a_dead_run_that_cannot_be_looked_at_holds_up_no_other(resident, ask):
    """The server answers 500 about the one that is looked at first."""
    first, second = ask(), ask()
    for run in (first, second):
        resident.force(run, "Running", "RUNNING")
    with store_proxy(resident.server.api_url) as proxy:
        proxy.break_down_at(f"/flow_runs/{second}")
        with temporary_settings({PREFECT_API_URL: f"{proxy.endpoint_url}/api"}):
            revived = {str(run) for run in revive_dead_runs(timedelta(0))}
    states = [resident.state(run) for run in (first, second)]
    resident.force(second, "Cancelled", "CANCELLED")

    assert (first in revived, second in revived, states) == (True, False, ["AwaitingRetry", "Running"])


def test_prefects_own_expiry_never_ends_a_review(elsewhere, document):
    """Where its service runs, it fails a pause that has expired; ours have no expiry, also past their deadline."""
    facts = {"document": document, "policy": Policy(deadline_s=1), "model": elsewhere.drafting(DRAFT)}
    suspended = elsewhere.start(extract_invoice, **facts | {"policy": {"deadline_s": 1}})

    def in_its_own_process():
        with elsewhere.connected():
            return extract_invoice(**facts, store=elsewhere.store)

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(in_its_own_process)
        paused = wait_for_paused(elsewhere)
        expired = [expire(elsewhere) for _ in range(2)]
        states = {run: elsewhere.state(run) for run in (suspended, paused)}
        elsewhere.answer(paused, decision="approve")
        outcome = ended.result(60)

    assert expired == ["Failed", "Failed"]
    assert states == {suspended: "Suspended", paused: "Paused"}
    assert outcome.decided_by == "human"


def wait_for_paused(resident):
    """The run that is paused in its own process."""
    wanted = {"flow_runs": {"state": {"name": {"any_": ["Paused"]}}, "tags": {"all_": ["hitl"]}}}
    wait_until(lambda: resident._post("/flow_runs/filter", wanted) != [], "a paused run", timeout_s=60)
    (run,) = resident._post("/flow_runs/filter", wanted)
    resident.wait_for_question(run["id"])
    return run["id"]


def expire(resident):
    """What becomes of a pause that did expire: Prefect's service has come by when it is `Failed`."""
    flow = resident._post("/flows/", {"name": "expiring"})["id"]
    details = {"pause_timeout": "2026-01-01T00:00:00Z"}
    state = {"type": "PAUSED", "name": "Paused", "state_details": details}
    run = resident._post("/flow_runs/", {"flow_id": flow, "state": state})["id"]
    wait_until(lambda: resident.state(run) == "Failed", "the service fails an expired pause", timeout_s=60)
    return resident.state(run)
