"""The project's own flows, blocks and deployments, deployed by Prefect's command and run by a worker."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.prefect.terminal import hitl
from tests.servers.machine import wait_until

ROOT = Path(__file__).parents[2]


def run_in_project(site, *command):
    done = subprocess.run(
        [sys.executable, *command], env=site.environment, cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pause_schedules(site):
    """So that the upkeep does not run among tests that know nothing of it."""
    for one in site.api.post("/deployments/filter", json={}).json():
        if one["schedules"]:
            wait_until(partial(_paused, site, one["id"]), f"{one['name']} is paused")


def _paused(site, deployment):
    # SQLite that is locked for a moment answers 503.
    return site.api.patch(f"/deployments/{deployment}", json={"paused": True}).is_success


@pytest.fixture(scope="module")
def deployed(site, tmp_path_factory):
    """Everything is deployed, by the script."""
    folder = tmp_path_factory.mktemp("outcomes")
    site.environment["HITL_FOLDER"] = str(folder)
    path = f"{Path(sys.executable).parent}:{site.environment['PATH']}"
    done = subprocess.run(
        [ROOT / "deployments" / "deploy.sh"],
        env=site.environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder
    pause_schedules(site)


def test_what_was_changed_in_a_block_since_stays_until_it_is_overwritten(site, deployed):
    """A project is deployed again with each version; its bar may have been moved in the UI."""

    def bar():
        found = site.api.get("/block_types/slug/hitl-review-policy/block_documents/name/careful").json()
        return found["id"], found["data"]["policy"]["min_confidence"]

    document, _ = bar()
    changed = {"data": {"policy": {"min_confidence": 0.5}}, "merge_existing_data": False}
    # SQLite that is locked for a moment answers 503.
    wait_until(lambda: site.api.patch(f"/block_documents/{document}", json=changed).is_success, "the block is changed")
    again = run_in_project(site, "blocks/save_blocks.py").splitlines()
    kept = bar()
    run_in_project(site, "blocks/save_blocks.py", "--overwrite")

    assert all("stays as it is" in line for line in again)
    assert (kept, bar()) == ((document, 0.5), (document, 0.9))


def test_everything_is_deployed_as_it_is_declared(site, deployed):
    """Each flow with its schedules, limit, tags and parameters; nothing asks a model because it was deployed."""
    declared = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
    found = [site.api.get(f"/deployments/name/{one['name']}/{one['name']}").json() for one in declared]

    assert [as_declared(one) for one in found] == [
        {
            "name": one["name"],
            "description": one["description"],
            "entrypoint": one["entrypoint"],
            "pool": "hitl",
            "tags": one["tags"],
            "parameters": one["parameters"],
            "schedules": [
                (plan.get("cron") or plan["interval"], plan.get("timezone", "UTC"), plan["active"])
                for plan in one.get("schedules", ())
            ],
            "limit": (one["concurrency_limit"]["limit"], one["concurrency_limit"]["collision_strategy"]),
        }
        for one in declared
    ]
    active = {one["name"] for one in found if any(plan["active"] for plan in one["schedules"])}
    assert active.isdisjoint({"resolve-case", "resolve-batch", "generate-later", "label-in-rounds"})


def test_the_server_makes_runs_from_the_schedules(site, deployed):
    """As soon as they are deployed. With SQLAlchemy 2.1 Prefect 3.8 never does, and only its log tells."""
    upkeep = site.api.get("/deployments/name/chase-reviews/chase-reviews").json()["id"]
    wanted = {"deployments": {"id": {"any_": [upkeep]}}, "flow_runs": {"state": {"name": {"any_": ["Scheduled"]}}}}

    def planned():
        return any(run["auto_scheduled"] for run in site.api.post("/flow_runs/filter", json=wanted).json())

    wait_until(planned, "a run of the schedule is planned", timeout_s=90)


def as_declared(deployment):
    """What the server says of a deployment, in the words of prefect.yaml."""
    plans = [(plan["schedule"], plan["active"]) for plan in deployment["schedules"]]
    return {
        "name": deployment["name"],
        "description": deployment["description"],
        "entrypoint": deployment["entrypoint"],
        "pool": deployment["work_pool_name"],
        "tags": deployment["tags"],
        "parameters": deployment["parameters"],
        "schedules": [(plan.get("cron") or plan["interval"], plan["timezone"], active) for plan, active in plans],
        "limit": (
            deployment["global_concurrency_limit"]["limit"],
            deployment["concurrency_options"]["collision_strategy"],
        ),
    }


def test_a_deployed_case_goes_all_the_way(site, deployed):
    """The embedded model is unsure, a person answers, the outcome is in the block's folder."""
    deployment = site.api.get("/deployments/name/resolve-case/resolve-case").json()["id"]
    run = site.start_as_declared(deployment, prompt="hm", policy={"min_confidence": 0.99}, case_id="c-1")
    site.wait_for_question(run)
    site.answer(run, decision="edit", answer="feedback", reviewer="ada", channel="api")
    site.wait(run, "Completed")

    (stored,) = (deployed / "outcomes").rglob("c-1.json")
    assert json.loads(stored.read_text())["final_answer"] == "feedback"


def test_the_upkeep_runs_by_its_schedule(site, deployed):
    """Nobody starts it; it completes where there is nothing to do, too."""
    upkeep = site.api.get("/deployments/name/chase-reviews/chase-reviews").json()["id"]
    soon = {"active": True, "schedule": {"interval": 10}}
    site.api.post(f"/deployments/{upkeep}/schedules", json=[soon]).raise_for_status()
    wanted = {"deployments": {"id": {"any_": [upkeep]}}, "flow_runs": {"state": {"name": {"any_": ["Completed"]}}}}

    def has_run():
        return any(run["auto_scheduled"] for run in site.api.post("/flow_runs/filter", json=wanted).json())

    wait_until(has_run, "a run that the schedule made is completed", timeout_s=120)


def test_the_doctor_sees_what_is_deployed_and_who_runs_it(site, deployed):
    """The process worker polls its pool; deployments name blocks that are saved."""
    checks = {one["what"]: one for one in json.loads(hitl(site.server.api_url, "doctor", "--json").out)["checks"]}

    assert checks["work pool hitl"]["found"].startswith("1 worker is online, of type process")
    assert {what: checks[what]["state"] for what in ("deployments", "upkeep", "blocks")} == {
        "deployments": "ok",
        "upkeep": "ok",
        "blocks": "ok",
    }
