"""A risk budget from the first case to a bar that accepts, on a real Prefect server."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint

from hitl_prefect.calibrations import Calibrated
from hitl_prefect.outcomes import Outcome, outcome_key
from hitl_prefect.policy_versions import newest, put_next, read_versions
from hitl_prefect.providers.scripted import register
from hitl_prefect.stores.folder import FolderStore
from tests.prefect.flows.invoices import extract_invoice
from tests.servers.machine import wait_until
from tests.servers.prefect import post

ROOT = Path(__file__).parents[2]
DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
BUDGET = {"max_error": 0.05, "audit_rate": 0}


@pytest.fixture
def start(resident, document, tmp_path):
    """Starts a run of the same task and store, with a model that is as sure as that."""

    def started(confidence, *, model="gpt", where=f"folder:{tmp_path}", **policy):
        register(model, [json.dumps({**DRAFT, "confidence": confidence})])
        given = {"policy": BUDGET | policy, "model": f"scripted:{model}", "store": where}
        return resident.start(extract_invoice, document=document, **given)

    return started


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def outcome_of(store, run_id):
    (key,) = [key for key in store.keys("outcomes/") if run_id in key]
    return Outcome.model_validate_json(store.get(key))


def put_labels(store, reviewed, count):
    """As many more cases that a person approved in the same way."""
    for number in range(count):
        case = reviewed.case.model_copy(update={"id": f"more-{number}"})
        more = reviewed.model_copy(update={"case": case})
        store.put_once(outcome_key(more), more.stored)


def test_what_starts_cold_accepts_once_it_is_calibrated_and_keeps_its_bar_while_it_waits(resident, start, store):
    """A person sees every case; then the scheduled flow finds a bar; another model starts cold again."""
    cold = start(0.9)
    resident.answer(cold, decision="approve", reviewer="ada")
    resident.go_on(cold)
    reviewed = outcome_of(store, cold)
    put_labels(store, reviewed, 119)
    flow = load_flow_from_entrypoint(f"{ROOT}/flows/calibrate.py:calibrate_bars")
    calibrating = resident.start(flow, store=store.url)
    first = newest(store, "invoices")
    warm, unsure, other = start(0.9), start(0.2), start(0.9, model="gpt-next")
    with_another_bar = tuple(one.model_copy(update={"bar": 0.1}) for one in first.calibrations)
    put_next(store, "invoices", lambda now: Calibrated.after(now, "invoices", with_another_bar, now.made_at))
    resident.answer(unsure, decision="retry", guidance="Again.", reviewer="ada")
    resident.go_on(unsure)
    resident.answer(unsure, decision="reject", reason="No.", reviewer="ada")
    resident.go_on(unsure)

    assert (reviewed.route.reason, reviewed.route.promise.max_error) == ("cold_start", 0.05)
    assert [resident.state(run) for run in (calibrating, warm, other)] == ["Completed", "Completed", "Suspended"]
    assert resident.run(other)["labels"]["hitl.reason"] == "cold_start"
    accepted, waited = outcome_of(store, warm), outcome_of(store, unsure)
    assert (accepted.decided_by, accepted.route.bar) == ("model", first.calibrations[0].bar)
    assert [one.route.bar for one in (waited.earlier[0], waited)] == [first.calibrations[0].bar] * 2
    assert waited.route.policy_version == accepted.route.policy_version
    wanted = {"filter": {"event": {"name": ["hitl.policy.changed"]}, "resource": {"id": ["hitl.policy.invoices"]}}}
    wait_until(lambda: post(resident.api, "/events/filter", wanted).json()["events"], "the new version is told")


def test_a_bucket_holds_the_whole_loop(resident, start, ceph, monkeypatch):
    """Labels on a real Ceph gateway, a bar found from them there, used from there, and refuted by audits."""
    for name, value in ceph.env.items():
        monkeypatch.setenv(name, value)
    bucket = ceph.store(ceph.new_bucket())
    cold = start(0.9, where=bucket.url, audit_rate=0.5)
    resident.answer(cold, decision="approve", reviewer="ada")
    resident.go_on(cold)
    reviewed = outcome_of(bucket, cold)
    put_labels(bucket, reviewed, 119)
    flow = load_flow_from_entrypoint(f"{ROOT}/flows/calibrate.py:calibrate_bars")
    resident.start(flow, store=bucket.url)
    warm = outcome_of(bucket, start(0.9, where=bucket.url))
    put_audits(bucket, reviewed, 20, bar=warm.route.bar)
    resident.start(flow, store=bucket.url)
    drifted = start(0.9, where=bucket.url)

    versions = [one.calibrations[0] for one in read_versions(bucket, "invoices")]
    assert [(one.status, one.labels) for one in versions] == [("ready", 120), ("drift", 0)]
    assert (warm.decided_by, warm.route.bar) == ("model", versions[0].bar)
    assert versions[1].alarm.endswith("wrong, more than 0.05 allows")
    assert resident.run(drifted)["labels"]["hitl.reason"] == "drift"
    bucket.close()


def put_audits(store, reviewed, count, *, bar):
    """As many cases that the bar would have accepted, and that a person corrected."""
    route = {"action": "review", "reason": "audit", "propensity": 0.5, "bar": bar}
    for number in range(count):
        found = {
            "case": reviewed.case.model_copy(update={"id": f"audit-{number}"}),
            "route": reviewed.route.model_copy(update=route),
            "decision": "reject",
            "final_answer": None,
            "decided_by": "audit",
            "decided_at": datetime.now(UTC),
        }
        outcome = reviewed.model_copy(update=found)
        store.put_once(outcome_key(outcome), outcome.stored)


@pytest.mark.full
def test_nobody_can_see_that_a_case_was_drawn_to_check_a_sure_model(resident, start, store):
    """Not in the run, its form, the inbox, `hitl show` nor the messages; the outcome knows it."""
    run = start(0.9, max_error=None, min_confidence=0.5, audit_rate=1)
    wait_until(lambda: resident.told(run), "it is told")
    said = [
        hitl(resident, *command)
        for command in (("inbox", "--json"), ("inbox",), ("show", run), ("show", run, "--json"))
    ]
    seen = json.dumps([resident.run(run), resident.form(run), resident.description(run), resident.told(run), said])
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)

    # The policy that a flow is given is its own parameter: there the rate stands, and not who was drawn.
    assert re.findall(r"(?i).{40}audit(?!_rate)", seen) == []
    assert "confidence 0.90" not in seen
    outcome = outcome_of(store, run)
    assert (outcome.decided_by, outcome.route.reason, outcome.route.propensity) == ("audit", "audit", 1)


def hitl(resident, *arguments):
    command = [sys.executable, "-m", "hitl_prefect", *arguments]
    done = subprocess.run(command, env=resident.server.env, capture_output=True, text=True, check=True)
    return done.stdout
