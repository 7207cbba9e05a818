"""Events about tasks and batches, as docs/events.md describes them, and the automations that are built on them."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.calibrating import calibrate
from hitl_prefect.detached.batch_ends import atell_batch_end
from hitl_prefect.detached.batch_rows import aleave_summary
from hitl_prefect.models import Promise
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.stores.folder import FolderStore
from tests.prefect.event_page import documented
from tests.prefect.terminal import hitl
from tests.servers.listening import mailbox
from tests.servers.machine import wait_until
from tests.servers.prefect import post, take_away_automations
from tests.unit.making import a_case, a_review, a_route, a_score, a_verdict, an_outcome

BLOCK = "custom-webhook/owners"
TASK = "drifting"
PROMISE = Promise(max_error=0.05, confidence_level=0.9)


def events(resident, resource, count, **wanted):
    """The events about a resource, oldest first, once there are `count`."""
    body = {"filter": {"resource": {"id": [resource]}, "order": "ASC", **wanted}, "limit": 50}

    def listed():
        return post(resident.api, "/events/filter", body).json()["events"]

    wait_until(lambda: len(listed()) >= count, f"{count} events about {resource}", timeout_s=30)
    return listed()


@pytest.fixture(scope="module")
def owners(resident):
    """A chat that is told of alarms, versions and batches."""
    said = {"subject": "{{subject}}", "body": "{{body}}"}
    with mailbox() as chat:
        with resident.connected():
            CustomWebhookNotificationBlock(name="owners", url=chat.url, json_data=said).save("owners", overwrite=True)
        words = ("--block", BLOCK, "--on", "policy-changed,drift-alarm,batch-ended")
        made = hitl(resident.server.api_url, "init-automations", *words)
        assert made.code == 0, made.err
        yield chat
        with resident.connected():
            asyncio.run(take_away_automations())


def messages(chat, subject, count):
    """The messages under a subject, once there are so many."""

    def sent():
        return [one["body"] for one in map(json.loads, (one.body for one in chat.sent)) if one["subject"] == subject]

    wait_until(lambda: len(sent()) >= count, f"{count} messages {subject!r}", timeout_s=30)
    return sent()


def got(chat, subject):
    """The one message under a subject."""
    (message,) = messages(chat, subject, 1)
    return message


def put_reviewed(store, name, count, *, verdict, **route):
    """Cases that a person has decided just now."""
    for number in range(count):
        outcome = an_outcome(
            case=CaseRecord.of(a_case(id=f"{name}-{number}", task=TASK)),
            score=a_score(0.9),
            route=a_route(action="review", promise=PROMISE, **route),
            review=a_review(verdict),
            decision=verdict.decision,
            decided_by="human",
            final_answer=verdict.answer,
            decided_at=datetime.now(UTC),
        )
        store.put_once(outcome_key(outcome), outcome.stored)


def test_a_bar_that_audits_refute_is_told_as_an_event_and_a_message(resident, owners, tmp_path):
    """The versions and the alarm, each once, also where calibrating runs again."""
    store = FolderStore(tmp_path)
    put_reviewed(store, "cold", 120, verdict=a_verdict(), reason="cold_start", propensity=1)
    with resident.connected():
        calibrate(store.url)
        rejected = a_verdict(decision="reject", answer=None)
        put_reviewed(store, "audit", 12, verdict=rejected, reason="audit", propensity=0.1)
        calibrate(store.url)
        calibrate(store.url)
    told = {
        (one["event"], one["payload"].get("number")): one["payload"]
        for one in events(resident, f"hitl.policy.{TASK}", 3)
    }
    alarm = told[("hitl.drift.alarm", None)]

    changed = "hitl.policy.changed"
    assert set(told) == {(changed, 1), (changed, 2), ("hitl.drift.alarm", None)}
    assert set(told[(changed, 1)]) == documented(changed)
    assert set(alarm) == documented("hitl.drift.alarm")
    assert {**told[(changed, 2)]["calibrations"][0], "store": store.url} == alarm
    assert (alarm["status"], alarm["bar"]) == ("drift", None)
    assert got(owners, f"{TASK}: the machine has drifted") == (
        f"{alarm['alarm']}\nModel: {alarm['model']}\nUntil there is a new bar, a person sees every case.\n"
        f"Outcomes: {store.url}"
    )
    bars = sorted(messages(owners, f"{TASK}: other bars are in force", 2))
    assert bars == [
        f"Version 1 is in force for runs that begin from now.\n{alarm['model']}: ready, bar 0.9\nOutcomes: {store.url}",
        f"Version 2 is in force for runs that begin from now.\n{alarm['model']}: drift, {alarm['needed']} more labels "
        f"needed\nOutcomes: {store.url}",
    ]


def test_the_end_of_a_batch_holds_what_the_page_says(resident, owners):
    """Its summary, and nothing else."""
    run = resident.create_empty_run()
    summary = BatchSummary(batch="told", task=TASK, cases=3, accepted=3)

    async def tell():
        async with get_client() as client:
            await aleave_summary(client, UUID(run), summary)
            await atell_batch_end(client, run, summary.batch)

    with resident.connected():
        asyncio.run(tell())
    (told,) = events(resident, "hitl.batch.told", 1)

    assert set(told["payload"]) == documented("hitl.batch.ended") == set(BatchSummary.model_fields)
    assert got(owners, f"{TASK}, batch told: every review is settled") == (
        "Cases: 3, decided by the model alone: 3\nFailed: 0"
    )
