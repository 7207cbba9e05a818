"""Runs a user's flow for an existing flow run inside the test's own process: what a worker does, without the process.

The server, the states, the forms and the journal are real; only the new Python process per run is left out. What hangs
on that process (a kill, a redeploy) is tested with `site`.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow_async, run_flow_sync
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from tests.prefect.site import Asking
from tests.servers.prefect import PrefectServer

__all__ = ["Resident"]


class Resident(Asking):
    """A deployment's runs, run in here: `start`, `go_on`, `answer`."""

    def __init__(self, server: PrefectServer, folder: Path) -> None:
        super().__init__(httpx.Client(base_url=server.api_url, timeout=30, trust_env=False), server.env)
        self.server, self.folder = server, folder
        self._deployments: dict[str, str] = {}
        self._flows: dict[str, Flow[Any, Any]] = {}

    @property
    def store(self) -> str:
        """Where outcomes are kept."""
        return f"folder:{self.folder / 'outcomes'}"

    def drafting(self, *answers: Any, confidence: float = 0.6) -> str:
        """A model that gives these answers one after the other; the last one ten times."""
        path = self.folder / f"{uuid4().hex}.json"
        said = [{"text": json.dumps({**answer, "confidence": confidence})} for answer in answers]
        path.write_text(json.dumps([*said, *said[-1:] * 9]))
        return f"scripted:{path}"

    def outcomes(self, run_id: str) -> list[dict[str, Any]]:
        """Every stored outcome of a run."""
        stored = [json.loads(path.read_bytes()) for path in (self.folder / "outcomes").glob("outcomes/**/*.json")]
        return [outcome for outcome in stored if outcome["flow_run_id"] == run_id]

    def start(self, flow: Flow[Any, Any], **parameters: Any) -> str:
        """Trigger a run of a deployment of the flow, and run it until it waits or ends; returns its id."""
        run_id = self.trigger(flow, **parameters)
        self.go_on(run_id)
        return run_id

    def trigger(self, flow: Flow[Any, Any], **parameters: Any) -> str:
        """Only create the run."""
        body = {"parameters": {"store": self.store, **parameters}, "state": {"type": "SCHEDULED"}}
        run_id: str = self._post(f"/deployments/{self._deployment(flow)}/create_flow_run", body)["id"]
        self._flows[run_id] = flow
        return run_id

    def go_on(self, run_id: str) -> str:
        """Run it until it waits again or ends, as a worker would after a resume; returns the name of its state."""
        here = {PREFECT_API_URL: self.server.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
        with temporary_settings(here), contextlib.suppress(Pause):
            asyncio.run(self._run(run_id))
        return self.state(run_id)

    async def _run(self, run_id: str) -> None:
        flow = self._flows[run_id]
        async with get_client() as client:
            run: FlowRun = await client.read_flow_run(run_id)
            parameters = flow.validate_parameters(run.parameters) if flow.should_validate_parameters else run.parameters
        if flow.isasync:
            await run_flow_async(flow, flow_run=run, parameters=parameters, return_type="state")
        else:
            await asyncio.to_thread(run_flow_sync, flow, flow_run=run, parameters=parameters, return_type="state")

    def _deployment(self, flow: Flow[Any, Any]) -> str:
        if flow.name not in self._deployments:
            flow_id = self._post("/flows/", {"name": flow.name})["id"]
            body = {"name": f"resident-{uuid4().hex[:8]}", "flow_id": flow_id, "tags": ["hitl"]}
            self._deployments[flow.name] = self._post("/deployments/", body)["id"]
        return self._deployments[flow.name]
