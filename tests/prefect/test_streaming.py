"""A draft is seen while it is being written, in the run's Artifacts tab."""

import json
from pathlib import Path

import pytest

from tests.servers.machine import wait_until

FLOWS = Path(__file__).parents[2] / "flows"
TEXT = '{"answer": "It left the depot on Monday ![](http://x)", "confidence": 0.95}'


@pytest.fixture(scope="module")
def answering(site):
    return site.deploy("resolve_case.py:resolve_one_case", source=FLOWS)


def start(site, answering, folder, *steps):
    script = folder / "script.json"
    script.write_text(json.dumps(steps))
    return site.start(answering, prompt="Where is it?", model=f"scripted:{script}", task="streamed", stream=True)


def artifacts(site, run):
    wanted = {"artifacts": {"flow_run_id": {"any_": [run]}}}
    return [one["data"] for one in site.api.post("/artifacts/filter", json=wanted).raise_for_status().json()]


def test_the_text_is_shown_as_it_arrives_and_stands_whole_at_the_end(site, answering, tmp_path):
    """Inert, in one artifact that is refreshed, not in one per refresh."""
    run = start(site, answering, tmp_path, {"text": TEXT, "delay_s": 4})

    seen = set()
    wait_until(lambda: seen.update(artifacts(site, run)) or len(seen) > 1, "the text grows", timeout_s=60)
    site.wait(run, "Completed")

    assert all("streamed" in shown and TEXT not in shown for shown in seen)
    assert artifacts(site, run) == [f"Draft for streamed, case {run} is whole.\n\n```text\n{TEXT}\n```"]


def test_a_stream_that_breaks_is_asked_for_again_and_leaves_no_half(site, answering, tmp_path):
    """The half text is gone from the artifact, and the outcome holds the whole second one."""
    broken = {"text": TEXT, "delay_s": 1.5, "error": "ProviderUnavailable"}
    run = start(site, answering, tmp_path, broken, {"text": TEXT})
    site.wait(run, "Completed")

    (outcome,) = site.outcomes(run)
    assert outcome["generation"]["text"] == TEXT
    assert sorted(shown.splitlines()[0].partition(f"case {run} ")[2] for shown in artifacts(site, run)) == [
        "is whole.",
        "was broken off; no part of it is kept.",
    ]
