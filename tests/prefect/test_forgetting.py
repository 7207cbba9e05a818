"""`hitl forget` where the case has a flow run: its rows, artifacts and the run are deleted from Prefect too."""

import json

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.cli import app
from hitl_prefect.connecting import open_client
from hitl_prefect.forgetting_runs import ForgottenRun, aforget_run
from hitl_prefect.journal import slug_named
from tests.unit.making import a_tombstone


def rows_of(resident, run_id):
    return resident.api.post(f"/flow_runs/{run_id}/input/filter", json={"prefix": "", "limit": 200}).json()


def artifacts_of(resident, run_id):
    wanted = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
    return resident.api.post("/artifacts/filter", json=wanted).json()


async def forget_run(tombstone):
    async with open_client() as client:
        return await aforget_run(client, tombstone)


def test_the_flow_run_of_a_forgotten_case_is_deleted_with_its_rows_and_artifacts(resident, ask, capsys):
    run_id = ask()
    resident.api.post("/artifacts/", json={"type": "markdown", "data": "A draft.", "flow_run_id": run_id})
    resident.answer(run_id, decision="approve", reviewer="ada")
    resident.go_on(run_id)
    (case,) = [one["case"] for one in resident.outcomes(run_id)]
    before = len(rows_of(resident, run_id)), len(artifacts_of(resident, run_id))
    asked = ["--task", case["task"], "--store", resident.store, "--reason", "ticket 7", "--yes", "--json"]
    with resident.connected():
        code = app(["forget", case["id"], *asked])
    said = json.loads(capsys.readouterr().out)

    assert min(before) >= 1
    assert (code, said["run"], said["remains"]) == (0, {"run_id": run_id, "now": "deleted"}, [])
    assert resident.api.get(f"/flow_runs/{run_id}").status_code == 404
    assert (rows_of(resident, run_id), artifacts_of(resident, run_id)) == ([], [])


def test_of_a_run_with_several_cases_only_the_rows_of_this_one_are_deleted(resident, ask):
    run_id = ask()
    resident.answer(run_id, decision="approve", reviewer="ada")
    resident.go_on(run_id)
    other = f"{slug_named('invoices', 'other')}-opened"
    resident.api.post(f"/flow_runs/{run_id}/input", json={"key": other, "value": "{}"})
    (case,) = [one["case"] for one in resident.outcomes(run_id)]
    tombstone = a_tombstone(task=case["task"], case=case["id"], flow_run_id=run_id)
    with resident.connected():
        done = run_coro_as_sync(forget_run(tombstone))
    ours = slug_named(case["task"], case["id"])

    assert done == ForgottenRun(run_id=run_id, now="shared")
    assert [row["key"] for row in rows_of(resident, run_id) if row["key"].startswith(ours)] == []
    assert other in [row["key"] for row in rows_of(resident, run_id)]
