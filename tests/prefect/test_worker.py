"""`hitl worker` as a process of its own, on a real server."""

import signal
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hitl_prefect.detached.deployment import ENTRYPOINT, POOL
from hitl_prefect.worker import HitlWorker
from tests.prefect.resident import Resident
from tests.prefect.reviews_at_hand import DRAFT, a_review, opened
from tests.prefect.worker_process import HitlWorkerProcess
from tests.servers.machine import wait_until
from tests.servers.prefect import post
from tests.servers.proxy import store_proxy


@pytest.fixture
def worker(resident: Resident) -> Iterator[HitlWorkerProcess]:
    with HitlWorkerProcess(resident.environment | {"PREFECT_LOGGING_LEVEL": "INFO"}, resident.folder) as started:
        yield started


def approve(resident: Resident, runs: Sequence[str]) -> None:
    """As one person, one after the other."""
    for run_id in runs:
        told = resident.answer(run_id, decision="approve", reviewer="ada")
        assert told["status"] == "ACCEPT", told


def foreign_run(resident: Resident) -> str:
    """A run of somebody else's flow, put into the pool of the reviews; returns its id."""
    flow_id = post(resident.api, "/flows/", {"name": "monthly"}).json()["id"]
    body = {"name": "foreign", "flow_id": flow_id, "entrypoint": "reports.py:monthly", "work_pool_name": POOL}
    deployment = post(resident.api, "/deployments/", body).json()["id"]
    run = post(resident.api, f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    return str(run.json()["id"])


def test_an_answered_review_is_completed_with_its_log_and_its_outcome(resident: Resident, worker: HitlWorkerProcess):
    (run_id,) = opened(resident, a_review(resident.store))

    approve(resident, [run_id])
    resident.wait(run_id, "Completed")

    assert resident.states(run_id) == ["Suspended", "Resuming", "Running", "Completed"]
    assert resident.run(run_id)["state"]["message"] == "approve by ada"
    (outcome,) = resident.outcomes(run_id)
    assert (outcome["decision"], outcome["final_answer"]) == ("approve", DRAFT)
    wait_until(lambda: "approve by ada" in resident.logs(run_id), "its log is on its page", timeout_s=20)
    assert f"({run_id}): Completed, approve by ada" in worker.said


def test_a_worker_with_many_slots_lists_no_more_than_prefect_gives_at_once(resident: Resident):
    """Which is 200."""
    (run_id,) = opened(resident, a_review(resident.store))
    approve(resident, [run_id])

    with HitlWorkerProcess(resident.environment, resident.folder, "--limit", "200"):
        resident.wait(run_id, "Completed")


def test_every_other_flow_is_refused_with_the_reason_and_the_way_out(resident: Resident, worker: HitlWorkerProcess):
    run_id = foreign_run(resident)

    with pytest.raises(AssertionError, match="run is Failed: a worker of type 'hitl' runs only the reviews"):
        resident.wait(run_id, "Completed")

    reason = resident.run(run_id)["state"]["message"]
    assert reason.endswith("and not 'reports.py:monthly': deploy it to a work pool of type 'process'")


def test_a_worker_that_is_killed_leaves_no_review_behind_and_none_is_decided_twice(resident: Resident):
    runs = opened(resident, *(a_review(resident.store) for _ in range(20)))
    approve(resident, runs)
    with HitlWorkerProcess(resident.environment, resident.folder, "--limit", "8") as worker:
        wait_until(lambda: _decided(resident, runs) > 2, "some are decided", timeout_s=60)
        worker.end(signal.SIGKILL)
        under_way = {resident.state(run_id) for run_id in runs}
        worker.start()
        for run_id in runs:
            resident.wait(run_id, "Completed")

    assert under_way & {"Pending", "Running"}
    stored = Counter(one["flow_run_id"] for one in resident.stored())
    assert {run_id: stored[run_id] for run_id in runs} == dict.fromkeys(runs, 1)


def _decided(resident: Resident, runs: list[str]) -> int:
    return sum(one["flow_run_id"] in runs for one in resident.stored())


def test_a_worker_that_is_told_to_stop_finishes_what_is_under_way(resident: Resident, worker: HitlWorkerProcess):
    runs = opened(resident, *(a_review(resident.store) for _ in range(4)))
    approve(resident, runs)

    code = worker.end(signal.SIGTERM)

    assert code == 0
    assert worker.said.rstrip().endswith("Stopped.")
    under_way = [resident.run(run_id)["state"]["name"] for run_id in runs]
    assert not {"Pending", "Running"} & set(under_way)


def test_a_worker_that_is_told_to_stop_does_not_wait_for_a_server_that_went_before(resident: Resident):
    """As `kill %1 %2` does; Prefect's client asks again for a minute, and `end` waits for 40 s."""
    (run_id,) = opened(resident, a_review(resident.store))
    with store_proxy(resident.server.api_url) as proxy:
        environment = resident.environment | {"PREFECT_API_URL": f"{proxy.endpoint_url}/api"}
        with HitlWorkerProcess(environment, resident.folder) as worker:
            approve(resident, [run_id])
            resident.wait(run_id, "Completed")
            proxy.down()

            code = worker.end(signal.SIGTERM)

    assert code == 0
    assert "Stopped." in worker.said


def test_a_pool_of_another_type_is_left_alone(resident: Resident):
    post(resident.api, "/work_pools/", {"name": "machines", "type": "process"}).raise_for_status()
    command = [sys.executable, "-m", "hitl_prefect", "worker", "--pool", "machines"]

    ended = subprocess.run(command, env=resident.environment, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 1
    assert "work pool 'machines' is of type 'process'" in ended.stderr


def test_prefects_own_command_finds_the_type_through_the_entry_point():
    named = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["prefect.collections"]
    find = "print(base.BaseWorker.get_worker_class_from_type('hitl'))"
    code = f"import prefect.workers.base as base, hitl_prefect.worker; {find}"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert named["hitl_prefect_worker"] == "hitl_prefect.worker"
    assert told.stdout.strip() == "<class 'hitl_prefect.worker.resident.HitlWorker'>"


def test_looking_for_a_block_does_not_load_the_worker():
    code = "import prefect, hitl_prefect.worker, sys; print('prefect.workers.base' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert told.stdout.strip() == "False"


def test_it_runs_the_flow_of_the_deployment_that_reviews_are_opened_in():
    """The name stands twice: a command about any worker is not to load what opens reviews."""
    assert HitlWorker.entrypoint == ENTRYPOINT
