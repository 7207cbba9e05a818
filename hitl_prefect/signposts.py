"""What Prefect's own pages say of a run that asks people: its name, its tags, its labels.

A name says what the run waits for, or how it ended; tags are what the runs page filters by. A flow that declares
`flow_run_name` keeps the name that it gives. Any other name is kept as the label `hitl.run_name`.
"""

import json
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.context import FlowRunContext

from hitl_prefect.models import Case
from hitl_prefect.outcomes import Settlement
from hitl_prefect.panel import Ask
from hitl_prefect.run_pages import TAG

__all__ = ["WAITING", "ask_labels", "mark_settled", "mark_waiting", "settled_name", "tag_run", "waiting_name"]

WAITING = "waiting"
"""On a flow run for as long as it waits for a person."""

_ASKED = {"second": "Second opinion", "tie_breaker": "Tie-break", "escalated": "Escalated review"}
_DECIDED = {
    "approve": "Approved",
    "edit": "Edited",
    "reject": "Rejected",
    "retry": "Another attempt",
    "fallback": "Fallback",
}


def waiting_name(case: Case, ask: Ask, *, attempt: int = 1, answered: int = 0, quorum: int = 1) -> str:
    """What a run is called while it waits.

    >>> waiting_name(Case(id="4711", task="invoices", prompt="?"), Ask(), answered=1, quorum=2)
    'Review 2 of 2: invoices · case 4711'
    """
    # A measurement is called as what it measures, so that its name does not give it away.
    asked = _ASKED.get(ask.role) or ("Review" if quorum == 1 else f"Review {min(answered + 1, quorum)} of {quorum}")
    again = f" · attempt {attempt}" if attempt > 1 else ""
    return f"{asked}: {_of(case)}{again}"


def settled_name(case: Case, settled: Settlement) -> str:
    """What a run is called once it is decided: `Approved: invoices · case 4711`."""
    by = " by the deadline" if settled.decided_by == "deadline" else ""
    return f"{_DECIDED[settled.decision]}{by}: {_of(case)}"


def _of(case: Case) -> str:
    # Both are plain: the models take no other ids and tasks.
    return f"{case.task} · case {case.id}"


def ask_labels(ask: Ask) -> dict[str, str]:
    """Who is asked, as labels; lists are JSON, since a label is text or a number."""
    lists = {"hitl.people": ask.people, "hitl.not_these": ask.not_these}
    return {"hitl.role": ask.told_role, **{name: json.dumps(people) for name, people in lists.items()}}


async def tag_run(client: PrefectClient, run_id: UUID, task: str) -> None:
    """Mark the run as one of ours and of a task, for the inbox, the upkeep and the runs page."""
    wanted = [TAG, f"task:{task}"]
    context = FlowRunContext.get()
    known = context.flow_run.tags if context and context.flow_run else []
    if set(wanted) <= set(known):
        return
    # The context knows the tags from when the run began; another case of the run may have added its own since.
    tags = (await client.read_flow_run(run_id)).tags
    if missing := [tag for tag in wanted if tag not in tags]:
        await client.update_flow_run(run_id, tags=[*tags, *missing])


async def mark_waiting(client: PrefectClient, run_id: UUID, name: str) -> None:
    """Name the run by what it waits for, and tag it `waiting`."""
    run = await client.read_flow_run(run_id)
    if "hitl.run_name" not in run.labels:
        await client.update_flow_run_labels(run_id, {"hitl.run_name": run.name})
    tags = run.tags if WAITING in run.tags else [*run.tags, WAITING]
    await client.update_flow_run(run_id, name=_renamed(name), tags=tags)


async def mark_settled(client: PrefectClient, run_id: UUID, name: str) -> bool:
    """Name the run by how it ended, and take the tag `waiting` away; whether that was still to be done."""
    tags = (await client.read_flow_run(run_id)).tags
    if WAITING not in tags:
        return False
    await client.update_flow_run(run_id, name=_renamed(name), tags=[tag for tag in tags if tag != WAITING])
    return True


def _renamed(name: str) -> str | None:
    """The new name; `None` where the flow itself says how its runs are called."""
    context = FlowRunContext.get()
    named = context is not None and context.flow is not None and context.flow.flow_run_name is not None
    return None if named else name
