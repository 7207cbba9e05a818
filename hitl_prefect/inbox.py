"""What waits for a person."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.logging import get_logger
from pydantic_core import from_json

from hitl_prefect.connecting import open_client
from hitl_prefect.frozen import Frozen
from hitl_prefect.people import among
from hitl_prefect.signposts import TAG
from hitl_prefect.ui import runs_page

__all__ = ["Waiting", "ainbox", "ours", "read_waiting", "runs_where", "waiting_run"]

_PAGE = 200
"""As many as Prefect gives at once unless told otherwise."""


class Waiting(Frozen):
    """One flow run that waits for a person."""

    run_id: UUID
    run_name: str
    case: str
    task: str
    reason: str
    """Why a person is asked: a route reason."""
    confidence: float | None
    attempt: int
    opened_at: datetime
    deadline_at: datetime | None = None
    """When the policy's deadline applies; `None` where it holds, and nothing but a person ends the waiting."""
    expected_loss: float | None = None
    """What it costs on average to accept the draft unseen; `None` where nobody can tell."""
    people: tuple[str, ...] = ()
    """Who may answer. Empty: anybody but `not_these`."""
    not_these: tuple[str, ...] = ()
    """Who may not: they have answered already, or they asked for the case."""
    role: str = "reviewer"
    """In which role somebody is asked: reviewer, second, tie_breaker, escalated."""
    earlier_name: str = ""
    """What the run was called before it was named by what it waits for."""
    url: str
    """Opens the form in the Prefect UI."""

    def may_answer(self, name: str) -> bool:
        """Whether the form would take this person's answer."""
        return not among(name, self.not_these) and (not self.people or among(name, self.people))

    @property
    def urgency(self) -> tuple[bool, float, float, float]:
        """Sorts what to answer first to the front: unknown loss, high loss, early deadline, long waiting."""
        due = self.deadline_at.timestamp() if self.deadline_at else float("inf")
        return self.expected_loss is not None, -(self.expected_loss or 0), due, self.opened_at.timestamp()


async def ainbox() -> list[Waiting]:
    """Everything that waits for a person, in the order of `Waiting.urgency`.

    Raises:
        ServerUnreachable: If no Prefect server answers.
    """
    async with open_client() as client:
        return await read_waiting(client)


async def read_waiting(client: PrefectClient) -> list[Waiting]:
    """The same as `ainbox`, through a client that is open."""
    # Asked once for all: a server that does not say where its pages are would be asked for every run.
    pages = await asyncio.to_thread(runs_page)
    runs = [run async for run in _read_runs(client, StateType.PAUSED) if "hitl.case" in run["labels"]]
    return sorted(filter(None, (_listed(run, pages) for run in runs)), key=lambda one: one.urgency)


def ours(kind: StateType) -> dict[str, Any]:
    """Prefect's filter for our flow runs whose state is of one type."""
    return {"tags": {"all_": [TAG]}, "state": {"type": {"any_": [kind.value]}}}


async def runs_where(client: PrefectClient, kind: StateType) -> AsyncIterator[FlowRun]:
    """Our flow runs whose state is of one type, each once."""
    async for run in _read_runs(client, kind):
        yield FlowRun.model_validate(run)


async def _read_runs(client: PrefectClient, kind: StateType) -> AsyncIterator[dict[str, Any]]:
    """Our flow runs whose state is of one type, page by page, each once; none that stays in that state is missed.

    The latest start first, and each page from where the one before ended: by an offset, a run that leaves between two
    pages would hide another. Prefect keeps an index of the starts and none of the ids: sorted by id, every page costs
    the server a sort of all.
    """
    wanted = ours(kind)
    seen: set[str] = set()
    offset = 0
    while True:
        body = {"flow_runs": wanted, "sort": "START_TIME_DESC", "limit": _PAGE, "offset": offset}
        # Not as Prefect's models: thousands of runs cost more to validate than to read.
        page = from_json((await client.request("POST", "/flow_runs/filter", json=body)).content)
        for run in page:
            if run["id"] not in seen:
                seen.add(run["id"])
                yield run
        if len(page) < _PAGE:
            return
        end = page[-1]["start_time"] or page[-1]["expected_start_time"]
        # The next page begins with that very moment, since others may have started in it; a moment of a page goes on.
        offset = offset + _PAGE if wanted.get("start_time") == {"before_": end} else 0
        wanted["start_time"] = {"before_": end}


def _listed(run: Mapping[str, Any], pages: str) -> Waiting | None:
    """A run of a list; `None` where its labels were broken: the others are listed all the same."""
    try:
        return waiting_run(UUID(run["id"]), run["name"], run["labels"], f"{pages}/{run['id']}")
    except (KeyError, ValueError, TypeError) as exc:
        get_logger("hitl").warning("flow run %s waits and is not listed: its labels are broken: %r", run["id"], exc)
        return None


def waiting_run(run_id: UUID, name: str, label: Mapping[str, Any], url: str) -> Waiting:
    """What the labels of a run say; those of a run that began to wait under an older version lack some."""
    return Waiting(
        run_id=run_id,
        run_name=name,
        case=label["hitl.case"],
        task=label["hitl.task"],
        reason=label["hitl.reason"],
        confidence=None if label["hitl.confidence"] == "" else label["hitl.confidence"],
        attempt=label["hitl.attempt"],
        opened_at=label["hitl.opened_at"],
        deadline_at=label["hitl.deadline_at"] or None,
        expected_loss=None if label.get("hitl.expected_loss", "") == "" else label["hitl.expected_loss"],
        people=json.loads(label.get("hitl.people", "[]")),
        not_these=json.loads(label.get("hitl.not_these", "[]")),
        role=label.get("hitl.role", "reviewer"),
        earlier_name=label.get("hitl.run_name", ""),
        url=url,
    )
