"""What scorers ask in a flow is asked beside the draft, recorded, and paid for once."""

import json
from pathlib import Path

import pytest

from flows.resolve_case import resolve_one_case
from tests.servers.machine import wait_until

FLOWS = Path(__file__).parents[2] / "flows"
YES = {"text": '{"answer": "yes", "confidence": 0.6}'}


@pytest.fixture(scope="module")
def answering(site):
    return site.deploy("resolve_case.py:resolve_one_case", source=FLOWS)


@pytest.fixture
def scripts(tmp_path):
    """Writes a script and tells how often it was asked."""

    class Scripts:
        def write(self, name, *steps):
            (tmp_path / f"{name}.json").write_text(json.dumps(steps))
            return f"scripted:{tmp_path / name}.json"

        def calls(self, name):
            counted = tmp_path / f"{name}.json.calls"
            return len(counted.read_text().split()) if counted.exists() else 0

    return Scripts()


def asked(scripts, *drafts):
    """What a run is started with."""
    second = {"kind": "agreement", "model": scripts.write("second", YES)}
    policy = {"min_confidence": 0.95, "scorers": ["stated", second], "combine": "mean"}
    return {"prompt": "Is it?", "model": scripts.write("first", *drafts), "policy": policy}


def test_a_second_opinion_is_asked_once_though_the_flow_runs_twice(resident, scripts):
    """The flow suspends and runs again from the top; the score stays as it was."""
    run = resident.start(resolve_one_case, **asked(scripts, YES))
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert outcome["score"]["confidence"] == 0.8
    assert (outcome["score"]["parts"][-1]["confidence"], scripts.calls("first"), scripts.calls("second")) == (1.0, 1, 1)


@pytest.mark.full
def test_a_second_opinion_outlives_the_process_that_asked_for_it(site, answering, scripts):
    """It is there before the draft; the process dies, and only the draft is asked for again."""
    run = site.start(answering, **asked(scripts, YES | {"delay_s": 60}, YES))
    wait_until(lambda: _recorded(site, run), "the second opinion is recorded while the draft is under way")
    site.worker.kill()
    site.worker.start()
    site.revive(run)
    site.wait_for_question(run)

    assert (scripts.calls("first"), scripts.calls("second")) == (2, 1)


def _recorded(site, run):
    rows = site.api.post(f"/flow_runs/{run}/input/filter", json={"prefix": "hitl-", "limit": 100}).json()
    return any("-asked-" in row["key"] for row in rows)


def test_a_second_model_that_is_down_leaves_no_score_and_a_person_is_asked(resident, scripts):
    """Never a guess from the scorer that is left."""
    second = {"kind": "agreement", "model": scripts.write("down", {"error": "ProviderDenied"})}
    policy = {"min_confidence": 0.1, "scorers": ["stated", second]}
    run = resident.start(resolve_one_case, prompt="Is it?", model=scripts.write("first", YES), policy=policy)

    assert "Nobody could tell how sure the model is." in resident.description(run)


@pytest.mark.full
def test_a_second_opinion_under_way_is_recorded_though_the_draft_needs_none(site, answering, scripts):
    """It is paid for: the flow waits for it before it asks a person, and a retry would find it."""
    second = {"kind": "agreement", "model": scripts.write("late", YES | {"delay_s": 3})}
    policy = {"min_confidence": 0.1, "scorers": ["stated", second]}
    refused = scripts.write("refused", {"text": "no", "refusal": True})
    run = site.start(answering, prompt="Is it?", model=refused, policy=policy)
    site.wait_for_question(run)

    assert (_recorded(site, run), scripts.calls("late")) == (True, 1)
    assert "Task exception was never retrieved" not in site.logs(run)
