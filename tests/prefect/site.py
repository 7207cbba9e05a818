"""A user's installation for tests: a Prefect server, a work pool, deployments, and a worker that can be killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import subprocess
import sys

from tests.servers.machine import wait_until
from tests.servers.prefect import PrefectServer

__all__ = ["Site", "Worker"]

FLOWS = Path(__file__).parent / "flows"
_POOL = "hitl"
_PATIENCE_S = 90.0


class Worker:
    """A process worker and the flow-run processes that it starts."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._log = environment, folder / f"worker-{uuid4().hex[:6]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "worker", "start", "--pool", _POOL, "--type", "process"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9 of the worker and of every process of its session, the flow runs included."""
        process, self._process = self._process, None
        if process is None:
            return
        for pid in _session(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait(10)


def _session(leader: int) -> list[int]:
    """The processes of a session, the leader first; a flow run has a process group of its own, but the same session."""
    found = [leader]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and int(stat.parent.name) != leader:
            found.append(int(stat.parent.name))
    return found


class Site:
    """What a user has: `deploy`, `start`, `answer`, and a look at the runs. Speaks plain REST."""

    def __init__(self, server: PrefectServer, folder: Path, **environment: str) -> None:
        self.server, self.folder = server, folder
        self.environment = server.env | {"PREFECT_WORKER_QUERY_SECONDS": "1", "GATES": str(folder), **environment}
        self.api = httpx.Client(base_url=server.api_url, timeout=30, trust_env=False)
        self.store = f"folder:{folder / 'outcomes'}"
        self.worker = Worker(self.environment, folder)

    def deploy(self, entrypoint: str, *, source: Path = FLOWS, **extra: Any) -> str:
        """Deploy `file.py:flow` of a folder to the work pool; returns the deployment's id."""
        self._post("/work_pools/", {"name": _POOL, "type": "process"}, allow=409)
        name = entrypoint.rpartition(":")[2].replace("_", "-")
        flow_id = self._post("/flows/", {"name": name})["id"]
        step = {"prefect.deployments.steps.set_working_directory": {"directory": str(source)}}
        body = {
            "name": f"test-{uuid4().hex[:8]}",
            "flow_id": flow_id,
            "entrypoint": entrypoint,
            "pull_steps": [step],
            "work_pool_name": _POOL,
            "tags": ["hitl"],
            "enforce_parameter_schema": False,
            **extra,
        }
        return self._post("/deployments/", body)["id"]

    def start(self, deployment: str, **parameters: Any) -> str:
        """Trigger a run; returns its id."""
        body = {"parameters": {"store": self.store, **parameters}, "state": {"type": "SCHEDULED"}}
        return self._post(f"/deployments/{deployment}/create_flow_run", body)["id"]

    def run(self, run_id: str) -> dict[str, Any]:
        return self.api.get(f"/flow_runs/{run_id}").raise_for_status().json()

    def state(self, run_id: str) -> str:
        """The name of the run's state, such as `Suspended`."""
        return self.run(run_id)["state"]["name"]

    def wait(self, run_id: str, state: str, *, since: datetime | None = None, timeout_s: float = _PATIENCE_S) -> None:
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
        return httpx.Response(200, text=self.api.get(f"/flow_runs/{run_id}/input/{key}").json()).json()

    def answer(self, run_id: str, **typed: Any) -> dict[str, Any]:
        """Answer as the Prefect UI does; returns what the server says."""
        body = {"run_input": typed} if typed else {}
        return self.api.post(f"/flow_runs/{run_id}/resume", json=body).raise_for_status().json()

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
        self.api.post(f"/flow_runs/{run_id}/set_state", json=body).raise_for_status()

    def revive(self, run_id: str) -> None:
        """What the scheduled upkeep does with a run whose process died."""
        time.sleep(1)
        code = "from datetime import timedelta; from hitl_prefect import revive_dead_runs as r; print(r(timedelta(0)))"
        done = subprocess.run(
            [sys.executable, "-c", code], env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert run_id in done.stdout

    def outcomes(self) -> list[dict[str, Any]]:
        """Every stored outcome."""
        import json

        return [
            json.loads(path.read_bytes()) for path in sorted((self.folder / "outcomes").rglob("outcomes/v1/**/*.json"))
        ]

    def logs(self, run_id: str) -> str:
        wanted = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200, "sort": "TIMESTAMP_ASC"}
        return "\n".join(line["message"] for line in self._post("/logs/filter", wanted))

    def _post(self, path: str, body: dict[str, Any], *, allow: int = 0) -> Any:
        response = self.api.post(path, json=body)
        return response.json() if response.status_code == allow else response.raise_for_status().json()

    def close(self) -> None:
        self.worker.kill()
        self.api.close()


@contextmanager
def site(server: PrefectServer, folder: Path, **environment: str) -> Iterator[Site]:
    """A site with a running worker; both are gone at the end."""
    made = Site(server, folder, **environment)
    try:
        made.deploy("invoices.py:extract_invoice")
        made.worker.start()
        yield made
    finally:
        made.close()


def open_gate(folder: Path, name: str) -> None:
    """Let a flow pass a gate."""
    (folder / f"{name}.open").touch()


def gate_reached(folder: Path, name: str) -> Callable[[], bool]:
    """Whether a flow stands at a gate."""
    return (folder / f"{name}.reached").exists
