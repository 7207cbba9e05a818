"""Puts a flow run before a person without a worker: created already suspended, its form stored as inputs."""

import json
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import JsonValue

from hitl_prefect.answers import answer_type
from hitl_prefect.briefs import Brief
from hitl_prefect.forms import Form, build_form
from hitl_prefect.models import Case, Generation, Part, Route, Score
from hitl_prefect.panel import Ask
from hitl_prefect.policy import Policy
from tests.servers.prefect import post

__all__ = ["Asked", "Desk", "form_for"]

_KEYS = {part: f"suspended-review-{part}" for part in ("schema", "description", "response")}


def form_for(case: Case, draft: Any, **details: Any) -> Form:
    """The form for a draft, given as a value of the answer type; `None` for a draft that is not valid."""
    answer = None if draft is None else answer_type(case.answer).as_json(draft)
    generation = Generation(
        answer=answer,
        text=details.pop("text", json.dumps(answer)),
        status="invalid" if answer is None else "ok",
        problems=details.pop("problems", ()),
        model="model-1",
        provider="scripted",
        prompt_sha256=case.prompt_sha256,
        attempt=details.pop("attempt", 1),
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    score = Score(confidence=0.61, combined="min(stated)", parts=(Part(name="stated", confidence=0.61),))
    route = Route(
        action="review",
        reason="below_bar",
        propensity=1,
        policy_version="v1",
        bar=0.9,
        detail=details.pop("detail", ""),
    )
    facts = {"case": case, "generation": generation, "score": score, "route": route}
    policy = details.pop("policy", Policy())
    ask = Ask(people=policy.reviewers, named=bool(policy.reviewers))
    return build_form(Brief(**facts, policy=policy, **{"ask": ask, **details}))


class Asked:
    """A flow run that waits for a person."""

    def __init__(self, api: httpx.Client, run_id: str, case: Case, form: Form) -> None:
        self._api = api
        self.run_id = run_id
        self.case = case
        self.form = form

    @property
    def response(self) -> dict[str, Any] | None:
        """What the server stored, all of it; `None` where it took nothing."""
        stored = self._api.get(f"/flow_runs/{self.run_id}/input/{_KEYS['response']}")
        while stored.status_code == 503:  # SQLite is locked for a moment
            stored = self._api.get(stored.request.url)
        return stored.json() if stored.status_code == 200 else None

    def resume(self, typed: JsonValue) -> str:
        """Answer as a program would; the server's `status`."""
        return str(post(self._api, f"/flow_runs/{self.run_id}/resume", {"run_input": typed}).json()["status"])


class Desk:
    """Asks people on one Prefect server."""

    def __init__(self, api_url: str) -> None:
        self._api = httpx.Client(base_url=api_url, timeout=90, trust_env=False)
        flow_id = self._created("/flows/", {"name": "review"})
        self._deployment_id = self._created("/deployments/", {"name": "review", "flow_id": flow_id})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.close()

    def ask(self, answer: Any, draft: Any, *, prompt: str = "What does the letter say?", **details: Any) -> Asked:
        """Suspend a new flow run with the form for a draft."""
        case = Case(id="letter-1", task="letters", prompt=prompt, answer=answer)
        form = form_for(case, draft, **details)
        waits = {"pause_reschedule": True, "pause_key": "review", "run_input_keyset": _KEYS}
        state = {"type": "PAUSED", "name": "Suspended", "state_details": waits}
        run_id = self._created(f"/deployments/{self._deployment_id}/create_flow_run", {"state": state})
        self._store(run_id, "schema", form.form_schema)
        self._store(run_id, "description", form.description)
        return Asked(self._api, run_id, case, form)

    def _store(self, run_id: str, part: str, value: JsonValue) -> None:
        row = {"key": _KEYS[part], "value": json.dumps(value)}
        post(self._api, f"/flow_runs/{run_id}/input", row).raise_for_status()

    def _created(self, path: str, body: dict[str, Any]) -> str:
        return str(post(self._api, path, body).raise_for_status().json()["id"])
