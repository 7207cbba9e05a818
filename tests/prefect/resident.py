"""Runs a user's flow for an existing flow run inside the test's own process: what a worker does, without the process.

The server, the states, the forms and the journal are real; only the new Python process per run is left out. What hangs
on that process (a kill, a redeploy) is tested with `site`.
"""

import asyncio
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
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
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.chasing import Chased, end_overdue_reviews, remind_reviewers
from hitl_prefect.inbox import ainbox
from hitl_prefect.notices import PATIENCE
from tests.prefect.site import Asking
from tests.servers.prefect import PrefectServer

__all__ = ["Resident"]


class Resident(Asking):
    """A deployment's runs, run in here: `start`, `go_on`, `answer`."""

    def __init__(self, server: PrefectServer, folder: Path) -> None:
        super().__init__(httpx.Client(base_url=server.api_url, timeout=90, trust_env=False), server.env)
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

    def stored(self) -> list[dict[str, Any]]:
        """Every outcome that is stored."""
        return [json.loads(path.read_bytes()) for path in (self.folder / "outcomes").glob("outcomes/**/*.json")]

    def outcomes(self, run_id: str) -> list[dict[str, Any]]:
        """Every stored outcome of a run."""
        return [outcome for outcome in self.stored() if outcome["flow_run_id"] == run_id]

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

    def adopt(self, flow: Flow[Any, Any], *run_ids: str) -> None:
        """Let `go_on` run these runs, which somebody else has created."""
        self._flows |= dict.fromkeys(run_ids, flow)

    def go_on(self, run_id: str) -> str:
        """Run it until it waits again or ends, as a worker would after a resume; returns the name of its state."""
        # In a thread of its own: in a browser test Playwright's event loop runs in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self._run_in_here, run_id).result()
        return self.state(run_id)

    def _run_in_here(self, run_id: str) -> None:
        with self.connected(), contextlib.suppress(Pause):
            asyncio.run(self._run(run_id))

    def chase(self, patience: timedelta = PATIENCE) -> list[Chased]:
        """What the scheduled upkeep does: deadlines first, then what is to be told."""
        with self.connected():
            return [*end_overdue_reviews(), *remind_reviewers(patience)]

    def look(self) -> None:
        """What the upkeep does where nothing is due: read the list of what waits."""
        with self.connected():
            run_coro_as_sync(ainbox())

    def resume(self, run_id: str, **typed: Any) -> str:
        """Answer with one request and no other; `ACCEPT`, or how the server refused it."""
        response = self.api.post(f"/flow_runs/{run_id}/resume", json={"run_input": typed})
        return str(response.json()["status"]) if response.is_success else str(response.status_code)

    def connected(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, this process talks to the server."""
        return temporary_settings({PREFECT_API_URL: self.server.api_url, PREFECT_LOGGING_TO_API_ENABLED: False})

    def told(self, run_id: str) -> list[dict[str, Any]]:
        """The events about the reviews of a run, oldest first; Prefect lists an event a moment after it was sent."""
        wanted = {"event": {"prefix": ["hitl.review."]}, "related": {"id": [f"prefect.flow-run.{run_id}"]}}
        found = self._post("/events/filter", {"filter": wanted | {"order": "ASC"}, "limit": 50})["events"]
        return list(found)

    def create_empty_run(self) -> str:
        """A flow run without anything to run."""
        flow_id = self._post("/flows/", {"name": "empty"})["id"]
        return str(self._post("/flow_runs/", {"flow_id": flow_id, "state": {"type": "COMPLETED"}})["id"])

    def artifacts(self, key: str) -> list[str]:
        """What stands under a key among the artifacts, all versions."""
        wanted = {"artifacts": {"key": {"any_": [key]}}, "limit": 20}
        return [one["data"] for one in self._post("/artifacts/filter", wanted)]

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
