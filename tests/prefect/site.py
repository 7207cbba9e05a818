"""A user's installation for tests: a Prefect server, a work pool, deployments, and a worker that can be killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from hitl_prefect.protocols import Store
from tests.servers.machine import family, wait_until
from tests.servers.prefect import PrefectServer, post

__all__ = ["Asking", "Site", "Worker"]

FLOWS = Path(__file__).parent / "flows"
_POOL = "hitl"
_PATIENCE_S = 90.0


class Worker:
    """A process worker and the flow-run processes that it starts."""

    def __init__(self, environment: dict[str, str], folder: Path, pool: str = _POOL) -> None:
        self._pool = pool
        self._environment, self._log = environment, folder / f"worker-{uuid4().hex[:6]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "prefect", *f"worker start --pool {self._pool} --type process".split()],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill -9 of the worker and of every process that it has started, the flow runs included."""
        process, self._process = self._process, None
        if process is None:
            return
        killed = family(process.pid)
        for pid in killed:
            _kill(pid)
        process.wait(10)
        wait_until(lambda: not any(_runs(pid) for pid in killed), "every process is dead", timeout_s=10)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Asking:
    """What a person and a look at the runs need: `answer`, `form`, `state`. Speaks plain REST."""

    def __init__(self, api: httpx.Client, environment: dict[str, str]) -> None:
        self.api, self.environment = api, environment

    def run(self, run_id: str) -> dict[str, Any]:
        return self.api.get(f"/flow_runs/{run_id}").raise_for_status().json()

    def state(self, run_id: str) -> str:
        """The name of the run's state, such as `Suspended`."""
        return self.run(run_id)["state"]["name"]

    def states(self, run_id: str) -> list[str]:
        """The names of all states that the run was in, oldest first."""
        found = self.api.get("/flow_run_states/", params={"flow_run_id": run_id}).raise_for_status().json()
        return [state["name"] for state in sorted(found, key=lambda state: state["timestamp"])]

    def wait(self, run_id: str, state: str, *, timeout_s: float = _PATIENCE_S) -> None:
        """Until the run is in a state; fails at once where it ended in another."""

        def reached() -> bool:
            now = self.run(run_id)["state"]
            if now["name"] != state and now["type"] in ("FAILED", "CRASHED", "CANCELLED"):
                raise AssertionError(f"run is {now['name']}: {now['message']}\n{self.logs(run_id)}")
            return now["name"] == state

        wait_until(reached, f"flow run {state}, is {self.state(run_id)}", timeout_s=timeout_s)

    def form(self, run_id: str) -> dict[str, Any]:
        """The schema of the form that a waiting run shows."""
        return self._input(run_id, "schema")

    def description(self, run_id: str) -> str:
        return self._input(run_id, "description")

    def _input(self, run_id: str, part: str) -> Any:
        key = self.run(run_id)["state"]["state_details"]["run_input_keyset"][part]
        return self.api.get(f"/flow_runs/{run_id}/input/{key}").raise_for_status().json()

    def answer(self, run_id: str, **typed: Any) -> dict[str, Any]:
        """Answer over the endpoint that the Prefect UI uses; returns what the server says.

        Whoever approves names the draft that was seen: here the one that waits now.
        """
        waits = self.run(run_id)["state"]["type"] == "PAUSED"
        if typed.get("decision") == "approve" and not typed.keys() & {"answer", "draft_sha256"} and waits:
            typed["draft_sha256"] = self.form(run_id)["x-hitl-draft-sha256"]
        body = {"run_input": typed} if typed else {}
        return self._post(f"/flow_runs/{run_id}/resume", body)

    def wait_for_question(self, run_id: str, *, unlike: str = "") -> str:
        """Until the run waits with a form, and another one than `unlike`; returns what names it."""
        key = ""

        def asked() -> bool:
            nonlocal key
            state = self.run(run_id)["state"]
            assert state["type"] not in ("FAILED", "CRASHED"), f"{state['message']}\n{self.logs(run_id)}"
            key = (state["state_details"]["run_input_keyset"] or {}).get("schema", "")
            return state["type"] == "PAUSED" and key not in ("", unlike)

        wait_until(asked, "a person is asked", timeout_s=_PATIENCE_S)
        return key

    def force(self, run_id: str, name: str, kind: str) -> None:
        """Set a state past all rules."""
        body = {"state": {"type": kind, "name": name}, "force": True}
        self._post(f"/flow_runs/{run_id}/set_state", body)

    def logs(self, run_id: str) -> str:
        wanted = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200, "sort": "TIMESTAMP_ASC"}
        return "\n".join(line["message"] for line in self._post("/logs/filter", wanted))

    def _post(self, path: str, body: dict[str, Any], *, allow: int = 0) -> Any:
        response = post(self.api, path, body)
        return response.json() if response.status_code == allow else response.raise_for_status().json()


class Site(Asking):
    """What a user has: `deploy`, `start`, a worker that can be killed, a bucket."""

    def __init__(
        self, server: PrefectServer, folder: Path, bucket: Store, *, pool: str = _POOL, **environment: str
    ) -> None:
        self.pool = pool
        self.server, self.folder, self.bucket = server, folder, bucket
        api = httpx.Client(base_url=server.api_url, timeout=90, trust_env=False)
        own = {"PREFECT_WORKER_QUERY_SECONDS": "1", "GATES": str(folder), **environment}
        super().__init__(api, server.env | own)
        self.worker = Worker(self.environment, folder, pool)

    def deploy(self, entrypoint: str, *, source: Path = FLOWS, **extra: Any) -> str:
        """Deploy `file.py:flow` of a folder to the work pool; returns the deployment's id."""
        self._post("/work_pools/", {"name": self.pool, "type": "process"}, allow=409)
        name = entrypoint.rpartition(":")[2].replace("_", "-")
        flow_id = self._post("/flows/", {"name": name})["id"]
        step = {"prefect.deployments.steps.set_working_directory": {"directory": str(source)}}
        body = {
            "name": f"test-{uuid4().hex[:8]}",
            "flow_id": flow_id,
            "entrypoint": entrypoint,
            "pull_steps": [step],
            "work_pool_name": self.pool,
            "tags": ["hitl"],
            "enforce_parameter_schema": False,
            **extra,
        }
        return self._post("/deployments/", body)["id"]

    def start(self, deployment: str, **parameters: Any) -> str:
        """Trigger a run that stores in the site's bucket; returns its id."""
        return self.start_as_declared(deployment, **{"store": self.bucket.url, **parameters})

    def start_as_declared(self, deployment: str, **parameters: Any) -> str:
        """Trigger a run with the deployment's own parameters, but for those given; returns its id."""
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return self._post(f"/deployments/{deployment}/create_flow_run", body)["id"]

    def revive(self, run_id: str) -> None:
        """What the scheduled upkeep does with a run whose process died."""
        time.sleep(1)
        revived = self._python(
            "from datetime import timedelta; from hitl_prefect import revive_dead_runs as r; print(r(timedelta(0)))"
        )
        assert run_id in revived

    def upkeep(self) -> None:
        """Let the deadlines act that have passed a second from now."""
        time.sleep(1)
        self._python("from hitl_prefect import end_overdue_reviews; end_overdue_reviews()")

    def _python(self, code: str) -> str:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def outcomes(self, run_id: str) -> list[dict[str, Any]]:
        """Every stored outcome of a run."""
        stored = [json.loads(self.bucket.get(key)) for key in self.bucket.keys("outcomes/")]
        return [outcome for outcome in stored if outcome["flow_run_id"] == run_id]

    def close(self) -> None:
        self.worker.kill()
        self.api.close()


def open_gate(folder: Path, name: str) -> None:
    """Let a flow pass a gate."""
    (folder / f"{name}.open").touch()
