"""What waits for a person, as the labels of a flow run tell it.

Nothing of Prefect's is imported here: `hitl inbox` would wait for that longer than for the server.
"""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from heapq import nsmallest
from typing import Any
from uuid import UUID

from hitl_prefect.frozen import Frozen
from hitl_prefect.run_pages import Ask, ours, run_pages

__all__ = ["Waiting", "read_inbox", "read_most_urgent", "waiting_run"]

_log = logging.getLogger("prefect.hitl")
"""Below Prefect's, so that its settings hold where it is imported."""


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
        # The models of the policy take 0.1 s to load, and a list is seldom narrowed to one person.
        from hitl_prefect.people import among

        return not among(name, self.not_these) and (not self.people or among(name, self.people))

    @property
    def urgency(self) -> tuple[bool, float, float, float]:
        """Sorts what to answer first to the front: unknown loss, high loss, early deadline, long waiting."""
        due = self.deadline_at.timestamp() if self.deadline_at else float("inf")
        return self.expected_loss is not None, -(self.expected_loss or 0), due, self.opened_at.timestamp()


async def read_inbox(ask: Ask, pages: str) -> list[Waiting]:
    """Everything that waits for a person, in the order of `Waiting.urgency`.

    Args:
        ask: Asks Prefect's server.
        pages: What the pages of flow runs stand below, as `ui.runs_page` tells it.
    """
    found = [one async for page in _listed_pages(ask, pages) for one in page]
    return sorted(found, key=_urgency)


async def read_most_urgent(ask: Ask, pages: str, *, at_most: int) -> tuple[list[Waiting], int]:
    """The first of `read_inbox`, and how many wait in all; of thousands it holds a page at a time."""
    first: list[Waiting] = []
    count = 0
    async for page in _listed_pages(ask, pages):
        count += len(page)
        first = nsmallest(at_most, [*first, *page], key=_urgency)
    return first, count


def _urgency(one: Waiting) -> tuple[bool, float, float, float]:
    return one.urgency


async def _listed_pages(ask: Ask, pages: str) -> AsyncIterator[list[Waiting]]:
    async for page in run_pages(ask, ours("PAUSED")):
        asked = (_listed(run, pages) for run in page if "hitl.case" in run["labels"])
        yield [one for one in asked if one is not None]


def _listed(run: Mapping[str, Any], pages: str) -> Waiting | None:
    """A run of a list; `None` where its labels were broken: the others are listed all the same."""
    try:
        return waiting_run(UUID(run["id"]), run["name"], run["labels"], f"{pages}/{run['id']}")
    except (KeyError, ValueError, TypeError) as exc:
        logging.getLogger("prefect.hitl").warning(
            "flow run %s waits and is not listed: its labels are broken: %r", run["id"], exc
        )
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
