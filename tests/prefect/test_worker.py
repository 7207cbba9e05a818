"""`hitl worker` as a process of its own, on a real server."""

import signal
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prefect.answered import Answered, HitlWorkerProcess
from tests.servers.machine import wait_until
from tests.servers.prefect import PrefectServer


@pytest.fixture(scope="module")
def answered(prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answered]:
    made = Answered(prefect_server, tmp_path_factory.mktemp("answered"))
    yield made
    made.api.close()


@pytest.fixture
def worker(answered: Answered) -> Iterator[HitlWorkerProcess]:
    with HitlWorkerProcess(answered.environment | {"PREFECT_LOGGING_LEVEL": "INFO"}, answered.folder) as started:
        yield started


def test_an_answered_review_is_completed_with_its_log_and_its_outcome(answered: Answered, worker: HitlWorkerProcess):
    (run_id,) = answered.open()

    answered.approve([run_id])
    answered.wait(run_id, "Completed")

    assert answered.states(run_id) == ["Suspended", "Resuming", "Pending", "Running", "Completed"]
    assert answered.run(run_id)["state"]["message"] == "approve by ada"
    (outcome,) = (one for one in answered.outcomes() if one["flow_run_id"] == run_id)
    assert (outcome["decision"], outcome["final_answer"]) == ("approve", "paid")
    wait_until(lambda: "approve by ada" in answered.logs(run_id), "its log is on its page", timeout_s=20)
    assert f"({run_id}): Completed, approve by ada" in worker.said


def test_every_other_flow_is_refused_with_the_reason_and_the_way_out(answered: Answered, worker: HitlWorkerProcess):
    run_id = answered.foreign_run()

    with pytest.raises(AssertionError, match="run is Failed: a worker of type 'hitl' runs only the reviews"):
        answered.wait(run_id, "Completed")

    reason = answered.run(run_id)["state"]["message"]
    assert reason.endswith("and not 'reports.py:monthly': deploy it to a work pool of type 'process'")


def test_a_worker_that_is_killed_leaves_no_review_behind_and_none_is_decided_twice(answered: Answered):
    runs = answered.open(20)
    answered.approve(runs)
    with HitlWorkerProcess(answered.environment, answered.folder, "--limit", "8") as worker:
        wait_until(lambda: _decided(answered, runs) > 2, "some are decided", timeout_s=60)
        worker.end(signal.SIGKILL)
        under_way = {answered.state(run_id) for run_id in runs}
        worker.start()
        for run_id in runs:
            answered.wait(run_id, "Completed")

    assert under_way & {"Pending", "Running"}
    stored = Counter(one["flow_run_id"] for one in answered.outcomes())
    assert {run_id: stored[run_id] for run_id in runs} == dict.fromkeys(runs, 1)


def _decided(answered: Answered, runs: list[str]) -> int:
    return sum(one["flow_run_id"] in runs for one in answered.outcomes())


def test_a_worker_that_is_told_to_stop_finishes_what_is_under_way(answered: Answered, worker: HitlWorkerProcess):
    runs = answered.open(4)
    answered.approve(runs)

    code = worker.end(signal.SIGTERM)

    assert code == 0
    assert worker.said.rstrip().endswith("Stopped.")
    under_way = [answered.run(run_id)["state"]["name"] for run_id in runs]
    assert not {"Pending", "Running"} & set(under_way)


def test_a_pool_of_another_type_is_left_alone(answered: Answered):
    answered.api.post("/work_pools/", json={"name": "machines", "type": "process"})
    command = [sys.executable, "-m", "hitl_prefect", "worker", "--pool", "machines"]

    ended = subprocess.run(command, env=answered.environment, capture_output=True, text=True, timeout=60)

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
