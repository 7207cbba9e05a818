"""Reviews that wait in flow runs of their own, and a resident worker in a process of its own."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from hitl_prefect.detached import Detached, aopen_reviews
from hitl_prefect.detached.deployment import POOL
from hitl_prefect.models import Attempt, Case
from hitl_prefect.policy import Policy
from tests.prefect.site import Asking
from tests.servers.machine import wait_until
from tests.servers.prefect import PrefectServer
from tests.unit.making import a_generation, a_route, a_score

__all__ = ["Answered", "HitlWorkerProcess"]

_STARTS_S = 60.0


class Answered(Asking):
    """Opens reviews, answers them, and looks at what became of them."""

    def __init__(self, server: PrefectServer, folder: Path) -> None:
        super().__init__(httpx.Client(base_url=server.api_url, timeout=60, trust_env=False), server.env)
        self.server, self.folder = server, folder

    def open(self, count: int = 1, **policy: Any) -> list[str]:
        """Reviews of new cases, each in a flow run that waits; returns the runs."""
        made = Policy(min_confidence=0.9, **policy)
        reviews = [_review(f"c-{uuid4().hex[:12]}", self.folder, made) for _ in range(count)]
        settings = {PREFECT_API_URL: self.server.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
        with temporary_settings(settings):
            return [str(run_id) for run_id in asyncio.run(aopen_reviews(reviews))]

    def approve(self, runs: Sequence[str]) -> None:
        """As one person, one after the other."""
        for run_id in runs:
            told = self.answer(run_id, decision="approve", reviewer="ada")
            assert told["status"] == "ACCEPT", told

    def foreign_run(self) -> str:
        """A run of somebody else's flow, put into the pool of the reviews; returns its id."""
        flow_id = self._post("/flows/", {"name": "monthly"})["id"]
        body = {"name": "foreign", "flow_id": flow_id, "entrypoint": "reports.py:monthly", "work_pool_name": POOL}
        deployment = self._post("/deployments/", body)["id"]
        run: str = self._post(f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"]
        return run

    def outcomes(self) -> list[dict[str, Any]]:
        """All that are stored."""
        return [json.loads(path.read_bytes()) for path in (self.folder / "outcomes").glob("outcomes/**/*.json")]

    def states(self, run_id: str) -> list[str]:
        """The names of all states that a run was in, oldest first."""
        found = self.api.get("/flow_run_states/", params={"flow_run_id": run_id}).raise_for_status().json()
        return [state["name"] for state in sorted(found, key=lambda state: state["timestamp"])]


def _review(case_id: str, folder: Path, policy: Policy) -> Detached:
    route = a_route(action="review", reason="below_bar", propensity=1.0, policy_version=policy.version, bar=0.9)
    return Detached(
        case=Case(id=case_id, task="letters", prompt=f"What does letter {case_id} say?"),
        attempt=Attempt(generation=a_generation(answer="paid", text="paid"), score=a_score(0.5), route=route),
        policy=policy,
        model="scripted:none.json",
        store=f"folder:{folder / 'outcomes'}",
    )


class HitlWorkerProcess:
    """`hitl worker` as a user starts it; stopped at the end of the block, whatever happened."""

    def __init__(self, environment: dict[str, str], folder: Path, *arguments: str) -> None:
        self._environment, self._arguments = environment, arguments
        self.log = folder / f"hitl-worker-{uuid4().hex[:6]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "HitlWorkerProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def start(self) -> None:
        """Returns once it serves."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hitl_prefect", "worker", *self._arguments],
                env=self._environment | {"PYTHONPATH": str(Path.cwd())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        before = self.said.count("started!")
        wait_until(
            lambda: self._runs() and self.said.count("started!") > before, "the worker serves", timeout_s=_STARTS_S
        )

    def _runs(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.said
        return True

    def end(self, how: signal.Signals) -> int | None:
        """Stop it that way; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(how)
        return process.wait(40)

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text("utf-8")
