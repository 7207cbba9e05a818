"""Faults, made for real: each ends in one outcome with the right verdict, and one call to the model per attempt."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hitl_prefect.providers.scripted import register
from tests.prefect.flows.invoices import extract_invoice, named_case
from tests.prefect.installation import DRAFT
from tests.prefect.site import FLOWS, open_gate
from tests.servers.machine import wait_until
from tests.wire.loopback import Said

CAREFUL = {"min_confidence": 0.9}
NAMES = ("ada", "bob")
EDITED = {"vendor": "ACME", "total": 125.0, "notes": {}}
FULL = os.environ.get("HITL_FULL") == "1"
DOWN_S = 30 if FULL else 4


@pytest.fixture(scope="module")
def invoices(site):
    return site.deploy("invoices.py:extract_invoice")


@pytest.fixture(scope="module")
def by_hand(site):
    return site.deploy("invoices.py:step_by_step")


def die_and_come_back(site, run):
    """Kill -9 of the worker and its flow runs; a new worker; the scheduled upkeep starts the dead run again."""
    site.worker.kill()
    site.worker.start()
    site.revive(run)


def edit(site, run):
    said = site.answer(run, decision="edit", answer=EDITED, reviewer="ada")
    assert said["status"] == "ACCEPT"


def assert_one_edit(site, run):
    site.wait(run, "Completed")
    (outcome,) = site.outcomes(run)
    assert (outcome["decision"], outcome["final_answer"]) == ("edit", EDITED)
    assert outcome["review"]["verdicts"][-1]["reviewer"] == "ada"


def test_worker_killed_while_generating(site, invoices, document, model):
    """The call that was under way is lost with its process, so there is a second one, and no third."""
    model.says[document] = [Said(DRAFT, delay_s=60), DRAFT]
    run = site.start(invoices, document=document, policy=CAREFUL)
    wait_until(lambda: len(model.calls(document)) == 1, "the model is asked")
    die_and_come_back(site, run)
    site.wait_for_question(run)
    edit(site, run)

    assert_one_edit(site, run)
    assert len(model.calls(document)) == 2


@pytest.mark.full
def test_worker_killed_after_generating(site, by_hand, document, model):
    """The draft was recorded before the task ended: the model is not asked again."""
    run = site.start(by_hand, document=document, policy=CAREFUL, gate="drafted")
    wait_until((site.folder / "drafted-generated.reached").exists, "there is a draft")
    die_and_come_back(site, run)
    open_gate(site.folder, "drafted-generated")
    open_gate(site.folder, "drafted-reviewed")
    site.wait_for_question(run)
    edit(site, run)

    assert_one_edit(site, run)
    assert len(model.calls(document)) == 1


@pytest.mark.full
def test_worker_killed_after_the_resume_and_before_the_store(site, by_hand, document, model):
    """The verdict outlives the process that read it."""
    open_gate(site.folder, "answered-generated")
    run = site.start(by_hand, document=document, policy=CAREFUL, gate="answered")
    site.wait_for_question(run)
    edit(site, run)
    wait_until((site.folder / "answered-reviewed.reached").exists, "the verdict was read", timeout_s=90)
    die_and_come_back(site, run)
    open_gate(site.folder, "answered-reviewed")

    assert_one_edit(site, run)
    assert len(model.calls(document)) == 1


def test_worker_killed_during_the_store(site, invoices, document, model, proxy):
    """The object lands after the process that sent it has died; the next process finds its own bytes there."""
    run = site.start(invoices, document=document, policy=CAREFUL)
    site.wait_for_question(run)
    with proxy.hold(f"{run}.json") as held:
        edit(site, run)
        held.wait_for_arrival(60)
        site.worker.kill()
    site.worker.start()
    site.revive(run)

    assert_one_edit(site, run)
    assert len(model.calls(document)) == 1


def test_prefect_server_restarted_while_a_review_waits(site, invoices, document, model):
    """A waiting review is rows in Prefect's database."""
    run = site.start(invoices, document=document, policy=CAREFUL)
    site.wait_for_question(run)
    site.server.restart()
    assert site.state(run) == "Suspended"
    edit(site, run)

    assert_one_edit(site, run)
    assert len(model.calls(document)) == 1


def test_store_down_for_a_while_when_the_answer_comes(site, invoices, document, model, proxy):
    """The task that stores tries again until the store is back: after 4 s, or after 30 s."""
    run = site.start(invoices, document=document, policy=CAREFUL)
    site.wait_for_question(run)
    proxy.down()
    try:
        edit(site, run)
        site.wait(run, "Running")
        time.sleep(DOWN_S)
        assert site.state(run) == "Running"
    finally:
        proxy.up()

    assert_one_edit(site, run)
    assert len(model.calls(document)) == 1


@pytest.mark.full
def test_a_store_that_refused_keeps_the_verdict_for_the_retry(site, invoices, document, model, ceph):
    """The bucket is gone, the run fails; once it is back a retry from the UI finishes with the same verdict."""
    bucket = ceph.new_bucket()
    url = site.bucket.url.replace(site.bucket.bucket, bucket)
    run = site.start(invoices, document=document, policy=CAREFUL, store=url)
    site.wait_for_question(run)
    with contextlib.closing(ceph.client()) as client:
        for stored in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=stored["Key"])
        client.delete_bucket(Bucket=bucket)
        edit(site, run)
        site.wait(run, "Failed")
        client.create_bucket(Bucket=bucket)
    site.force(run, "AwaitingRetry", "SCHEDULED")
    site.wait(run, "Completed")

    store = ceph.store(bucket)
    (key,) = store.keys("outcomes/")
    assert b'"decision":"edit"' in store.get(key)
    assert len(model.calls(document)) == 1


def test_a_store_that_is_not_there_is_found_before_the_model_is_asked(resident, document, ceph, monkeypatch):
    """The message names the bucket."""
    for name, value in ceph.env.items():
        monkeypatch.setenv(name, value)
    asked = register("never asked", [DRAFT])
    missing = ceph.store(ceph.new_bucket()).url.replace("s3://test-", "s3://never-created-")
    run = resident.start(
        extract_invoice, document=document, policy=CAREFUL, store=missing, model="scripted:never asked"
    )

    assert (resident.state(run), asked.requests) == ("Failed", [])
    assert "never-created-" in resident.run(run)["state"]["message"]


def test_one_case_has_one_outcome_however_often_it_is_sent(resident, document):
    """A second run with the same case id returns what was decided; with another prompt it is refused."""
    asked = register("sure", [DRAFT])
    facts = {"case_id": "case-1", "policy": {"min_confidence": 0.1}, "model": "scripted:sure"}
    runs = [resident.start(named_case, document=text, **facts) for text in (document, document, "another document")]

    assert [resident.state(run) for run in runs] == ["Completed", "Completed", "Failed"]
    assert [len(resident.outcomes(run)) for run in runs] == [1, 0, 0]
    assert len(asked.requests) == 1
    assert "one case has one outcome" in resident.run(runs[-1])["state"]["message"]


@pytest.mark.full
def test_cases_that_are_started_together_wait_one_after_the_other(site, document, model):
    """`asyncio.gather` of two unsure cases: one question at a time, one call each, two outcomes."""
    run = site.start(site.deploy("invoices.py:two_at_once"), document=document, policy=CAREFUL)
    first = site.wait_for_question(run)
    site.answer(run, decision="approve")
    site.wait_for_question(run, unlike=first)
    site.answer(run, decision="approve")
    site.wait(run, "Completed")

    assert len(site.outcomes(run)) == 2
    assert len(model.calls(document)) == 2


@pytest.mark.parametrize("number", range(20 if FULL else 2))
def test_two_people_answer_at_once(resident, ask, number):
    """One answer is taken, the other is told; the outcome is that of the one taken."""
    run = ask(**CAREFUL)
    draft = resident.form(run)["x-hitl-draft-sha256"]
    with ThreadPoolExecutor(2) as people:
        sent = {
            who: people.submit(resident.answer, run, decision="approve", reviewer=who, draft_sha256=draft)
            for who in NAMES
        }
        taken = [who for who, one in sent.items() if one.result()["status"] == "ACCEPT"]
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert [one["reviewer"] for one in outcome["review"]["verdicts"]] == taken
    assert len(taken) == 1


def test_redeployed_code_while_a_review_waits(site, document, model, tmp_path):
    """The prompt and the answer type change; what was approved is the draft that the person saw."""
    source = Path(shutil.copytree(FLOWS, tmp_path / "flows"))
    run = site.start(site.deploy("invoices.py:extract_invoice", source=source), document=document, policy=CAREFUL)
    site.wait_for_question(run)
    code = source / "invoices.py"
    changed = code.read_text().replace("Extract the invoice.", "Please extract it.")
    code.write_text(changed.replace("    vendor: str\n", '    vendor: str\n    currency: str = "EUR"\n', 1))
    site.answer(run, decision="approve", reviewer="ada")
    site.wait(run, "Completed")

    (outcome,) = site.outcomes(run)
    assert outcome["final_answer"] == {"vendor": "ACME", "total": 12.5, "notes": {}}
    assert "Extract the invoice." in outcome["case"]["messages"][0]["content"]
    assert len(model.calls(document)) == 1


@pytest.mark.full
def test_what_was_refused_stays_refused_when_the_code_changes(site, document, tmp_path):
    """The validator that refused ada's edit goes away; bob, who was asked next, has the last word all the same."""
    source = Path(shutil.copytree(FLOWS, tmp_path / "flows"))
    run = site.start(site.deploy("invoices.py:extract_invoice", source=source), document=document, policy=CAREFUL)
    first = site.wait_for_question(run)
    site.answer(run, decision="edit", answer={"vendor": " ", "total": 1}, reviewer="ada")
    site.wait_for_question(run, unlike=first)
    code = source / "invoices.py"
    code.write_text(code.read_text().replace("if not value.strip():", "if False:"))
    site.answer(run, decision="reject", reviewer="bob")
    site.wait(run, "Completed")

    (outcome,) = site.outcomes(run)
    assert (outcome["decision"], outcome["review"]["verdicts"][-1]["reviewer"]) == ("reject", "bob")


@pytest.mark.full
def test_without_a_deployment_the_process_waits(site, document):
    """`python flow.py` pauses in place and goes on with the answer."""
    code = (
        f"import sys; sys.path.insert(0, {str(FLOWS)!r}); from invoices import extract_invoice as f; "
        f"from hitl_prefect import Policy; "
        f"print(f({document!r}, {site.bucket.url!r}, Policy(min_confidence=0.9)).final_answer)"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=site.environment, stdout=subprocess.PIPE, text=True) as it:
        wait_until(lambda: _waiting_case(site) is not None, "the run waits")
        site.answer(_waiting_case(site), decision="edit", answer=EDITED, reviewer="ada")
        out, _ = it.communicate(timeout=60)

    assert "total=125.0" in out


def _waiting_case(site):
    body = {"flow_runs": {"state": {"name": {"any_": ["Paused"]}}}}
    found = site.api.post("/flow_runs/filter", json=body).json()
    return found[0]["id"] if found else None
