"""From a file of cases to stored outcomes: both flows, deployed by Prefect's command and run by a worker."""

import json
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.resolve_case import resolve_one_case
from hitl_prefect.blocks import OpenAIModel
from hitl_prefect.models import Case
from hitl_prefect.stores import FolderStore
from tests.prefect.test_deployments import pause_schedules, run_in_project
from tests.servers.machine import wait_until
from tests.wire.batch_server import BatchServer
from tests.wire.loopback import Said


def says(name, _body):
    """The first answer is sure, the others are not."""
    sure = -0.01 if name.endswith("-0") else -1.5
    tokens = [('{"answer": "', 0.0), ("refund", sure), ('", "confidence": 0.9}', 0.0)]
    return Said("".join(text for text, _ in tokens), tokens=tokens)


@pytest.fixture
def server(site) -> Iterator[BatchServer]:
    """A batch endpoint that a saved model block points to."""
    with BatchServer(says) as made:
        block = OpenAIModel(model="gpt-4.1", api_key="sk-batch", base_url=f"{made.url}/v1")
        with temporary_settings({PREFECT_API_URL: site.server.api_url}):
            block.save("later", overwrite=True)
        run_in_project(
            site, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"
        )
        pause_schedules(site)
        yield made


def run(site, name, **parameters):
    """Run a deployment to its end; returns its id."""
    deployment = site.api.get(f"/deployments/name/{name}/{name}").json()["id"]
    run_id = site.start_as_declared(deployment, **parameters)
    site.wait(run_id, "Completed")
    return run_id


def cases_of(site, store):
    """The runs that resolve cases for a store, by case."""
    found = site.api.post("/flow_runs/filter", json={"flows": {"name": {"any_": ["resolve-case"]}}}).json()
    started = [one for one in found if one["parameters"].get("store") == store]
    assert len(started) == len({one["parameters"]["case_id"] for one in started})
    return {one["parameters"]["case_id"]: one["id"] for one in started}


def test_a_file_of_cases_goes_all_the_way_at_half_the_price(site, server, tmp_path):
    """A sure draft ships, an unsure one is reviewed, a request that never ran is asked at once; each case runs once."""
    store = FolderStore(tmp_path / "store")
    cases = [{"id": f"mail-{n}", "prompt": f"Mail {n}", "metadata": {"page": n}, "requester": "bob"} for n in range(3)]
    (tmp_path / "cases.jsonl").write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    submitting = {
        "path": str(tmp_path / "cases.jsonl"),
        "model": "later",
        "store": store.url,
        "instructions": "Be brief.",
    }
    run(site, "generate-later", **submitting, dry_run=True)
    before = len(server.batches), len(server.live), store.keys()
    run(site, "generate-later", **submitting)
    server.end(only=lambda name: not name.endswith("-2"))
    fetching = run(site, "fetch-batches", store=store.url)
    started = cases_of(site, store.url)
    [closed] = (tmp_path / "store").rglob("closed.json")
    closed.unlink()  # as if the first one had been killed before its last step
    run(site, "fetch-batches", store=store.url)
    again = cases_of(site, store.url)
    site.wait_for_question(started["mail-1"])
    site.answer(started["mail-1"], decision="edit", answer="exchange", reviewer="ada")
    for run_id in started.values():
        site.wait(run_id, "Completed")
    stored = [json.loads(store.get(key)) for key in store.keys("outcomes/")]

    assert (again == started, before, len(server.batches)) == (True, (0, 0, []), 1)
    wait_until(lambda: "mail-2: no result in a batch" in site.logs(fetching), "the log says what is asked at once")
    assert {one["case"]["id"]: (one["final_answer"], one["decided_by"]) for one in stored} == {
        "mail-0": ("refund", "model"),
        "mail-1": ("exchange", "human"),
        "mail-2": ("asked at once", "model"),
    }
    assert sorted(one["case"]["metadata"]["page"] for one in stored) == [0, 1, 2]
    assert {one["case"]["requester"] for one in stored} == {"bob"}
    # One small question before the batch, and the case that the batch did not answer.
    assert [str(body["messages"][-1]["content"]) for body in server.live] == ["Answer with the word ok.", "Mail 2"]


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"prompt_sha256": "0" * 64}, "the draft is of another prompt"),
        ({"answer": "neither"}, "the draft's answer does not fit its type"),
    ],
)
def test_a_draft_of_something_else_is_refused(resident, changed, refusal):
    """Nobody approves an answer to a question that was not asked, or one that the answer type does not know."""
    prompt_sha256 = Case(id="c1", task="support", prompt="hm").prompt_sha256
    draft = {"text": "x", "status": "ok", "answer": "refund", "model": "m", "provider": "openai"}
    draft |= {"prompt_sha256": prompt_sha256, "created_at": "2026-01-01T00:00:00Z", **changed}
    run = resident.start(resolve_one_case, prompt="hm", choices=["refund", "other"], draft=draft)

    state = resident.run(run)["state"]
    assert (state["name"], refusal in state["message"]) == ("Failed", True), state["message"]
