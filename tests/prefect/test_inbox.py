"""What waits, as the Prefect UI and the command line show it: order, names, tags, the page, finding a run."""

import asyncio
import json
import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from hitl_prefect.answering import afind
from hitl_prefect.errors import UnknownRun
from hitl_prefect.inbox import ainbox, read_waiting
from hitl_prefect.inbox_page import KEY
from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.flows.named import named_invoice
from tests.prefect.terminal import Terminal, hitl

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
TWO = {"quorum": 2, "reviewers": ["ada", "bob", "eve"]}


@pytest.fixture
def here(resident):
    """This process talks to the server, as the command line does."""
    with temporary_settings({PREFECT_API_URL: resident.server.api_url}):
        yield


@pytest.fixture
def ask(resident, document):
    """Start a run that waits for a person under a policy."""

    def asked(flow=extract_invoice, **policy):
        model = resident.drafting(DRAFT)
        return resident.start(flow, document=document, policy={"error_cost": "total", **policy}, model=model)

    return asked


def listed(*runs):
    """What the inbox says of these runs, in its order."""
    return [one for one in asyncio.run(ainbox()) if str(one.run_id) in runs]


def page(resident):
    """The page in the Prefect UI, as markdown."""
    return resident.api.get(f"/artifacts/{KEY}/latest").raise_for_status().json()["data"]


def test_a_waiting_run_says_who_is_asked_and_what_is_at_stake(resident, ask, here):
    """The case of a flow without `case_id` is the run; a wrong total of 12.50 at confidence 0.6 costs 5 on average."""
    run = ask(reviewers=["ada", "bob"], requester_may_review=True, deadline_s=3600, on_deadline="reject")
    (one,) = listed(run)

    assert (one.case, one.expected_loss, one.people, one.role) == (run, 5.0, ("ada", "bob"), "reviewer")
    assert one.deadline_at == one.opened_at + timedelta(hours=1)
    assert (one.may_answer(" ADA "), one.may_answer("eve")) == (True, False)


def test_the_deadline_is_the_policys_where_a_second_group_is_asked_before(ask, here):
    """Until then a person can decide."""
    people = {"reviewers": ["ada"], "widen_to": ["bob"], "widen_after_s": 60}
    (one,) = listed(ask(**people, deadline_s=3600, on_deadline="reject"))

    assert (one.deadline_at - one.opened_at).total_seconds() == 3600


def test_what_nobody_can_put_a_price_on_comes_first(ask, here):
    """A vendor is no amount."""
    dear, unknown = ask(error_cost=100), ask(error_cost="vendor")

    assert [str(one.run_id) for one in listed(dear, unknown)] == [unknown, dear]


def test_the_inbox_costs_one_request_for_200_runs(ask, here):
    """However many there are; none of them is read alone."""
    ask()

    asked, waiting = asyncio.run(counted())
    assert asked == ["/api/flow_runs/filter"]
    assert 0 < len(waiting) < 200


def test_the_command_line_lists_the_same_without_prefect(resident, ask, here):
    """In a process of its own, where to import Prefect would take longer than to ask its server."""
    ask(reviewers=["ada"], requester_may_review=True)
    code = "import sys; from hitl_prefect.cli import app; app(['inbox', '--json']); sys.exit('prefect' in sys.modules)"
    environment = {**resident.server.env, "PREFECT_API_URL": resident.server.api_url}
    listed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert json.loads(listed.stdout)["waiting"] == [one.model_dump(mode="json") for one in asyncio.run(ainbox())]


async def counted():
    """What waits, and the paths that were asked for it."""
    asked = []

    async def note(request):
        if "csrf" not in request.url.path:  # Prefect asks for it once per client
            asked.append(request.url.path)

    async with get_client() as client:
        client._client.event_hooks = {"request": [note], "response": []}
        return asked, await read_waiting(client)


def test_a_run_is_named_by_what_it_waits_for_and_then_by_how_it_ended(resident, ask):
    """Tags of the deployment stay; `waiting` goes with the answer; the first name stays findable."""
    run = ask()
    first, waiting = resident.run(run)["labels"]["hitl.run_name"], resident.run(run)
    resident.answer(run, decision="approve")
    resident.go_on(run)
    settled = resident.run(run)

    assert (waiting["name"], settled["name"]) == (
        f"Review: invoices · case {run}",
        f"Approved: invoices · case {run}",
    )
    assert waiting["tags"] == ["hitl", "task:invoices", "waiting"]
    assert settled["tags"] == ["hitl", "task:invoices"]
    assert (settled["labels"]["hitl.run_name"], "case" in first) == (first, False)


def test_a_quorum_is_counted_and_who_has_answered_is_no_longer_asked(resident, ask, here):
    """In the run's name, and in the inbox."""
    run = ask(**TWO)
    first = resident.run(run)["name"]
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)
    (one,) = listed(run)

    assert (first, one.run_name) == (f"Review 1 of 2: invoices · case {run}", f"Review 2 of 2: invoices · case {run}")
    assert (one.may_answer("ada"), one.may_answer("bob"), one.may_answer("eve")) == (False, True, True)


def test_a_flow_that_names_its_runs_keeps_its_names(resident, ask, here):
    """Its case is still found, among what waits."""
    run = ask(named_invoice)

    assert (resident.run(run)["name"], "waiting" in resident.run(run)["tags"]) == ("mine", True)
    assert str(asyncio.run(afind(run_case(resident, run)))) == run


def run_case(resident, run):
    return resident.run(run)["labels"]["hitl.case"]


def test_the_page_lists_a_case_while_it_waits(resident, ask):
    """One artifact, written in place, with a link to the form."""
    run = ask()
    during = page(resident)
    resident.answer(run, decision="reject")
    resident.go_on(run)
    versions = resident.api.post("/artifacts/count", json={"artifacts": {"key": {"any_": [KEY]}}}).json()

    (row,) = [line for line in during.splitlines() if run in line]
    assert "The confidence is below the bar" in row or "There is no bar yet" in row
    assert f"[Open the form]({resident.server.ui_url}/v2/runs/flow-run/{run})" in row
    assert (run in page(resident), versions) == (False, 1)


def test_a_run_is_found_by_its_case_its_name_and_its_first_name(resident, ask, here):
    """While it waits by each, afterwards by its case."""
    run = ask()
    facts = resident.run(run)
    found = {str(asyncio.run(afind(name))) for name in (run, facts["name"], facts["labels"]["hitl.run_name"])}

    assert found == {run}


def test_a_case_of_several_runs_is_named_with_their_ids(resident, document, here):
    """Nothing is guessed; the message says what to type instead."""
    case = f"case-{uuid4().hex[:8]}"
    policy, model = {"min_confidence": 0.9}, resident.drafting(DRAFT)
    runs = [
        resident.start(named_invoice, document=document, policy=policy, model=model, case_id=case, task=task)
        for task in ("left", "right")
    ]
    with pytest.raises(UnknownRun) as refused:
        asyncio.run(afind(case))

    assert all(run in str(refused.value) for run in runs)


def test_a_watch_prints_what_changes_into_a_pipe_and_ends_on_ctrl_c(resident, ask):
    """Lines to read by program or eye, exit code 0."""
    run = ask()
    command = [sys.executable, "-m", "hitl_prefect", "inbox", "--watch", "--every", "0.2"]
    environment = {**resident.server.env, "PREFECT_API_URL": resident.server.api_url}
    # Tests that run in the background are started with Ctrl-C switched off, and so would be the command.
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, preexec_fn=listening, **pipe) as watching:
        seen = next(line for line in watching.stdout if run in line)
        resident.answer(run, decision="reject")
        gone = next(line for line in watching.stdout if run in line)
        watching.send_signal(signal.SIGINT)

    assert (seen[0], gone[0], watching.returncode) == ("+", "-", 0)


def test_the_list_is_narrowed_by_task_by_reviewer_and_by_number(resident, ask):
    """Names are compared as a form does; the most urgent stay."""
    ask(error_cost=1000, reviewers=["ada"], requester_may_review=True)
    run = ask(error_cost="vendor", reviewers=["bob"], requester_may_review=True)

    def cases(*narrowed):
        listed = json.loads(hitl(resident.server.api_url, "inbox", "--json", *narrowed).out)["waiting"]
        return [one["run_id"] for one in listed]

    assert cases("--limit", "1") == cases()[:1]
    assert (run in cases("--reviewer", " BOB "), run in cases("--reviewer", "ada")) == (True, False)
    assert (run in cases("--task", "invoices"), cases("--task", "nobody-has-this")) == (True, [])


def test_a_watch_at_a_terminal_draws_the_list_in_place(resident, ask):
    """It begins with an empty screen, and Ctrl-C ends it with exit code 0."""
    run = ask()
    with Terminal(resident.server.api_url, "inbox", "--watch", "--every", "0.2") as terminal:
        terminal.see("\x1b[H\x1b[2J\x1b[3J")
        terminal.see(run)
        terminal.see("\x1b[H\x1b[2J\x1b[3J")
        terminal.press(b"\x03")

        assert terminal.end() == 0
