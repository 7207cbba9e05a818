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

__all__ = [
    "WAITING",
    "ask_labels",
    "batch_tag",
    "decision_tag",
    "mark_settled",
    "mark_waiting",
    "settled_name",
    "tag_run",
    "tags_of",
    "waiting_name",
]

WAITING = "waiting"
"""On a flow run for as long as it waits for a person; on a review in a run of its own until its outcome is stored."""
_BATCH = "batch:"

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


def tags_of(task: str, batch: str = "") -> list[str]:
    """What marks a run as one of ours, of a task and of a batch."""
    return [TAG, f"task:{task}", *([batch_tag(batch)] if batch else [])]


def batch_tag(batch: str) -> str:
    """What marks the runs of a batch."""
    return f"{_BATCH}{batch}"


def decision_tag(decision: str) -> str:
    """What marks a run of a batch whose review is settled."""
    return f"decision:{decision}"


async def tag_run(client: PrefectClient, run_id: UUID, task: str) -> None:
    """Mark the run as one of ours and of a task, for the inbox, the upkeep and the runs page."""
    wanted = tags_of(task)
    if set(wanted) <= set(_known_tags()):
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


async def mark_settled(
    client: PrefectClient, run_id: UUID, case: Case, settled: Settlement, *, is_alone: bool = False
) -> bool:
    """Name the run by how it ended, and take the tag `waiting` away; whether that was still to be done.

    A review that asked for another attempt keeps the tag: somebody will be asked about that one. The run of a batch
    gains its decision as a tag, by which its end is counted.

    Args:
        client: An open client.
        run_id: The run that has waited.
        case: What it was about.
        settled: How it ended.
        is_alone: Whether no other case can have changed the run's tags since it began.
    """
    tags = _known_tags() if is_alone else (await client.read_flow_run(run_id)).tags
    if WAITING not in tags:
        return False
    name = _renamed(settled_name(case, settled))
    if settled.decision == "retry":
        await client.update_flow_run(run_id, name=name)
        return False
    decided = [decision_tag(settled.decision)] if any(tag.startswith(_BATCH) for tag in tags) else []
    kept = [tag for tag in tags if tag != WAITING]
    await client.update_flow_run(run_id, name=name, tags=[*kept, *decided])
    return True


def _known_tags() -> list[str]:
    """The tags that the run began with, after a resume as well."""
    context = FlowRunContext.get()
    return context.flow_run.tags if context and context.flow_run else []


def _renamed(name: str) -> str | None:
    """The new name; `None` where the flow itself says how its runs are called."""
    context = FlowRunContext.get()
    named = context is not None and context.flow is not None and context.flow.flow_run_name is not None
    return None if named else name
