"""The project's own flows, blocks and deployments, deployed by Prefect's command and run by a worker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prefect.terminal import hitl

ROOT = Path(__file__).parents[2]


def run_in_project(site, *command):
    done = subprocess.run(
        [sys.executable, *command], env=site.environment, cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def deployed(site, tmp_path_factory):
    """The blocks are saved twice and everything is deployed."""
    folder = tmp_path_factory.mktemp("outcomes")
    site.environment["HITL_FOLDER"] = str(folder)
    saved = [run_in_project(site, "blocks/save_blocks.py") for _ in range(2)]
    assert saved[0] == saved[1]
    run_in_project(
        site, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"
    )
    return folder


def test_the_schedule_is_off_until_switched_on(site, deployed):
    """Nothing runs because it was deployed; the upkeep alone is on."""
    found = site.api.get("/deployments/name/resolve-case/resolve-case").json()
    upkeep = site.api.get("/deployments/name/chase-reviews/chase-reviews").json()

    assert [(one["schedule"]["cron"], one["active"]) for one in found["schedules"]] == [("0 6 * * 1-5", False)]
    assert [one["active"] for one in upkeep["schedules"]] == [True]


def test_a_deployed_case_goes_all_the_way(site, deployed):
    """The embedded model is unsure, a person answers, the outcome is in the block's folder."""
    deployment = site.api.get("/deployments/name/resolve-case/resolve-case").json()["id"]
    run = site.start_as_declared(deployment, prompt="hm", policy={"min_confidence": 0.99}, case_id="c-1")
    site.wait_for_question(run)
    site.answer(run, decision="edit", answer="feedback", reviewer="ada", channel="api")
    site.wait(run, "Completed")

    (stored,) = (deployed / "outcomes").rglob("c-1.json")
    assert json.loads(stored.read_text())["final_answer"] == "feedback"


def test_the_upkeep_runs(site, deployed):
    """The scheduled flow completes where there is nothing to do, too."""
    run = site.start_as_declared(site.api.get("/deployments/name/chase-reviews/chase-reviews").json()["id"])

    site.wait(run, "Completed")


def test_the_doctor_sees_what_is_deployed_and_who_runs_it(site, deployed):
    """The process worker polls its pool; deployments name blocks that are saved."""
    checks = {one["what"]: one for one in json.loads(hitl(site.server.api_url, "doctor", "--json").out)["checks"]}

    assert checks["work pool hitl"]["found"].startswith("1 worker is online, of type process")
    assert {what: checks[what]["state"] for what in ("deployments", "upkeep", "blocks")} == {
        "deployments": "ok",
        "upkeep": "ok",
        "blocks": "ok",
    }
