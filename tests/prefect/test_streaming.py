"""A draft is seen while it is being written, in the run's Artifacts tab."""

import json
from concurrent.futures import ThreadPoolExecutor

from flows.resolve_case import resolve_one_case
from tests.servers.machine import wait_until

TEXT = '{"answer": "It left the depot on Monday ![](http://x)", "confidence": 0.95}'


def trigger(resident, folder, *steps):
    script = folder / "script.json"
    script.write_text(json.dumps(steps))
    said = {"prompt": "Where is it?", "model": f"scripted:{script}", "task": "streamed", "stream": True}
    return resident.trigger(resolve_one_case, **said)


def artifacts(resident, run):
    wanted = {"artifacts": {"flow_run_id": {"any_": [run]}}}
    return [one["data"] for one in resident.api.post("/artifacts/filter", json=wanted).raise_for_status().json()]


def test_the_text_is_shown_as_it_arrives_and_stands_whole_at_the_end(resident, tmp_path):
    """Inert, in one artifact that is refreshed, not in one per refresh."""
    run = trigger(resident, tmp_path, {"text": TEXT, "delay_s": 4})

    seen = set()
    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(resident.go_on, run)
        wait_until(lambda: seen.update(artifacts(resident, run)) or len(seen) > 1, "the text grows", timeout_s=60)

    assert ended.result() == "Completed"
    assert all("streamed" in shown and TEXT not in shown for shown in seen)
    assert artifacts(resident, run) == [f"Draft for streamed, case {run} is whole.\n\n```text\n{TEXT}\n```"]


def test_a_stream_that_breaks_is_asked_for_again_and_leaves_no_half(resident, tmp_path):
    """The half text is gone from the artifact, and the outcome holds the whole second one."""
    broken = {"text": TEXT, "delay_s": 1.5, "error": "ProviderUnavailable"}
    run = trigger(resident, tmp_path, broken, {"text": TEXT})
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert outcome["generation"]["text"] == TEXT
    assert sorted(shown.splitlines()[0].partition(f"case {run} ")[2] for shown in artifacts(resident, run)) == [
        "is whole.",
        "was broken off; no part of it is kept.",
    ]
