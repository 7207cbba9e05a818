"""What people are told about reviews: each thing once, with a link to the form, and without the case's words."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock

from hitl_prefect.blocks import FolderStoreBlock
from hitl_prefect.chasing import remind_reviewers
from tests.prefect.event_page import documented_of_review
from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.terminal import hitl
from tests.servers.listening import mailbox
from tests.servers.machine import wait_until
from tests.servers.prefect import take_away_automations

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
BLOCK = "custom-webhook/desk"
NONE = timedelta(0)


@pytest.fixture(scope="module")
def chat():
    """What a chat's webhook is."""
    with mailbox() as made:
        yield made


@pytest.fixture(scope="module")
def automated(resident, chat):
    """A block that posts to the mailbox, and the automations that the command makes; both gone afterwards."""
    said = {"subject": "{{subject}}", "body": "{{body}}"}
    with resident.connected():
        CustomWebhookNotificationBlock(name="desk", url=chat.url, json_data=said).save("desk", overwrite=True)
        FolderStoreBlock(path="outcomes").save("silent", overwrite=True)
    words = ("--block", BLOCK, "--on", "opened,settled", "--task", "invoices", "--json")
    made = hitl(resident.server.api_url, "init-automations", *words)
    assert made.code == 0, made.err
    yield chat, json.loads(made.out)["automations"]
    with resident.connected():
        asyncio.run(take_away_automations())


def told(resident, run, count):
    """The events about a run, once there are `count`: the server lists one a moment after it took it."""
    wait_until(lambda: len(resident.told(run)) >= count, f"{count} events", timeout_s=30)
    return [(one["event"].removeprefix("hitl.review."), one["payload"]) for one in resident.told(run)]


def test_a_chat_gets_one_message_per_step_with_the_link_and_no_word_of_the_case(resident, automated, ask, document):
    """However often the run comes by: it is woken without an answer, asks again, and is answered."""
    run = ask(min_confidence=0.9, reviewers=["ada"])

    def got():
        return [message for message in (json.loads(one.body) for one in automated[0].sent) if run in message["body"]]

    wait_until(lambda: len(got()) == 1, "a message", timeout_s=30)
    resident.force(run, "Resuming", "SCHEDULED")
    resident.go_on(run)
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)
    wait_until(lambda: len(got()) == 2, "two messages", timeout_s=30)
    time.sleep(2)

    opened, settled = got()
    url = f"{resident.server.ui_url}/v2/runs/flow-run/{run}"
    assert opened["subject"] == f"invoices, case {run}: a person is asked"
    assert opened["body"] == f"Why: below bar, confidence 0.60\nAsked: ada\n{url}"
    assert settled["body"] == f"Why: below bar, confidence 0.60\nDecision: approve, by human\n{url}"
    assert [word for word in (document, "ACME") if word in json.dumps(got())] == []


def test_the_command_may_be_run_twice(resident, automated):
    """It knows its automations by their names, says what it will do, and changes what became different."""
    _, made = automated
    options = ("--block", BLOCK, "--on", "opened,overdue", "--task", "invoices")
    planned = hitl(resident.server.api_url, "init-automations", *options, "--dry-run").out
    again = hitl(resident.server.api_url, "init-automations", *options, "--json").out

    name = f"hitl opened: {BLOCK}, task invoices"
    assert made[0] == {"name": name, "does": "create"}
    assert [line.split("  ")[-1].strip() for line in planned.splitlines()] == ["IS", "as wanted", "to create"]
    assert [one["does"] for one in json.loads(again)["automations"]] == ["nothing", "create"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--block", "custom-webhook/none"], 1, "no block 'custom-webhook/none'"),
        (["--block", "hitl-folder-store/silent"], 1, "sends no notifications"),
        (["--block", BLOCK, "--on", "opend"], 2, "'opend' is no event"),
        (["--block", BLOCK, "--task", "My Invoices"], 2, "'My Invoices' is no task: did you mean 'my-invoices'?"),
    ],
    ids=["no such block", "no notification block", "no such event", "no such task"],
)
def test_what_cannot_be_made_is_refused_by_name(resident, automated, arguments, code, says):
    """Before anything is saved."""
    done = hitl(resident.server.api_url, "init-automations", *arguments)

    assert (done.code, says in done.err) == (code, True), done.err


def test_each_step_of_a_review_is_told_once(resident, ask):
    """Opened, reminded, widened, overdue and settled, with who is asked at the time."""
    policy = {"reviewers": ["ada"], "widen_after_s": 1, "widen_to": ["bob"], "deadline_s": 2, "on_deadline": "reject"}
    run = ask(**policy, remind_after_s=[1])
    time.sleep(1.1)
    with resident.connected():
        remind_reviewers()
    for _ in range(2):
        resident.chase()
        resident.go_on(run)
        time.sleep(1.1)
    events = told(resident, run, 5)

    assert [(name, payload["people"]) for name, payload in events if name not in ("reminded", "overdue")] == [
        ("opened", ["ada"]),
        ("widened", ["ada", "bob"]),
        ("settled", []),
    ]
    assert sorted(name for name, _ in events) == ["opened", "overdue", "reminded", "settled", "widened"]
    assert {name: set(payload) for name, payload in events} == {name: documented_of_review(name) for name, _ in events}


def test_escalating_tells_those_who_are_asked_then(resident, ask):
    """The event names them, so that an automation of its own can reach them."""
    run = ask(escalate_to=["chief"])
    resident.answer(run, decision="escalate", reviewer="ada")
    resident.go_on(run)
    *_, (name, payload) = told(resident, run, 2)

    assert (name, payload["step"], payload["people"]) == ("escalated", "escalated", ["chief"])
    assert set(payload) == documented_of_review("escalated")


def test_the_link_opens_the_ui_that_is_in_force(elsewhere, document):
    """Where the server's operator keeps the older UI, the link leads there, in the event and in the inbox."""
    run = elsewhere.start(extract_invoice, document=document, policy={}, model=elsewhere.drafting(DRAFT))
    ((_, payload),) = told(elsewhere, run, 1)
    listed = hitl(elsewhere.server.api_url, "inbox", "--json")

    url = f"{elsewhere.server.ui_url}/runs/flow-run/{run}"
    assert payload["url"] == url
    assert url in [one["url"] for one in json.loads(listed.out)["waiting"]]


def test_prompt_and_draft_leave_prefect_only_where_the_policy_says_so(resident, document):
    """Then inert and cut: no mention, no markup, no image."""
    model = resident.drafting({"vendor": "<!channel> ![](http://x)", "total": 1})
    policies = ({}, {"message_holds": ["prompt", "draft"]})
    runs = [resident.start(extract_invoice, document=document, policy=one, model=model) for one in policies]
    (_, bare), (_, full) = (told(resident, run, 1)[0] for run in runs)

    assert set(bare) == documented_of_review("opened")
    assert set(full) == documented_of_review("opened", with_words=True)
    assert (document in full["prompt"], "\u2039!channel\u203a" in full["draft"], "<" in full["draft"]) == (
        True,
        True,
        False,
    )
    assert full["draft"].startswith("```text\n")


DYING = """
import asyncio, os, signal, sys
from uuid import UUID
from prefect.client.orchestration import get_client
from hitl_prefect.journal import create_row
from hitl_prefect.notices import Facts, Notice, tell

async def die(run_id, step, sends):
    facts = Facts(task="invoices", case="c", reason="rule", confidence=None, step="reviewer")
    notice = Notice(name="reminded-1", step=step, facts=facts)
    async with get_client() as client:
        if sends:
            await tell(client, run_id, notice)
        else:
            await create_row(client, run_id, notice.key, "{}")
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(die(UUID(sys.argv[1]), sys.argv[2], sys.argv[3] == "sends"))
"""


@pytest.mark.parametrize(("dies", "then"), [("claimed", ["reminded-1"]), ("sends", [])])
def test_what_a_killed_process_left_untold_is_told_once(resident, ask, dies, then):
    """Killed before it sent the event, the next upkeep sends it; killed after, the server has it already."""
    run = ask(remind_after_s=[1])
    told(resident, run, 1)
    step = json.loads(resident.run(run)["labels"]["hitl.schedule"])["step"]
    command = [sys.executable, "-c", DYING, run, step, dies]
    done = subprocess.run(command, env=resident.server.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if dies == "sends":
        told(resident, run, 2)
    at_once = [one.did for one in resident.chase() if str(one.run_id) == run]
    later = [one.did for _ in range(2) for one in resident.chase(patience=NONE) if str(one.run_id) == run]

    assert (at_once, later) == ([], then)
    assert [name for name, _ in told(resident, run, 2)] == ["opened", "reminded"]


def test_upkeeps_at_once_tell_a_reminder_once(resident, ask):
    """Four of them; one claims it."""
    run = ask(remind_after_s=[1])
    time.sleep(1.1)
    with ThreadPoolExecutor(4) as threads:
        chased = [one.result() for one in [threads.submit(resident.chase) for _ in range(4)]]

    assert [one.did for did in chased for one in did if str(one.run_id) == run] == ["reminded-1"]
    assert [name for name, _ in told(resident, run, 2)] == ["opened", "reminded"]
