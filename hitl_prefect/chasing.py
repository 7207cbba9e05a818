"""Upkeep that one scheduled flow does for all reviews: people are reminded, deadlines act, dead runs go on.

Nothing sleeps or polls per review. What is due stands in the labels of the waiting runs, so that a look at 200 of them
is one request, and only what is due costs more. A run goes on from the top and finds in its journal what it did before.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.states import AwaitingRetry, Scheduled
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import ValidationError

from hitl_prefect.desk import Round
from hitl_prefect.frozen import Frozen
from hitl_prefect.inbox import runs_where
from hitl_prefect.notices import PATIENCE, Notice, Schedule, tell
from hitl_prefect.worker.claims import Claim

__all__ = [
    "Chased",
    "aend_overdue_reviews",
    "aremind_reviewers",
    "arevive_dead_runs",
    "end_overdue_reviews",
    "remind_reviewers",
    "revive_dead_runs",
]

SILENCE = timedelta(minutes=10)
"""More than three heartbeats, which Prefect sends every three minutes unless told otherwise."""
_UNREACHABLE = (ObjectNotFound, PrefectHTTPStatusError, httpx.TransportError, ValidationError)
"""What can be wrong with one run; the others are seen to all the same."""


class Chased(Frozen):
    """What the upkeep did about one review."""

    run_id: UUID
    task: str
    case: str
    did: str
    """`woken`, or what was told: `reminded-1`, `overdue`, and `opened` where the run's own process had died."""


async def aend_overdue_reviews() -> list[Chased]:
    """Wake every suspended run in which silence means something by now: the second group is asked, or it ends.

    The run goes on from the top, finds no answer and a time that has passed, and goes on as its policy declares. A
    person who answered a moment before has already woken the run, and wins.

    Returns:
        The reviews that were woken.
    """
    return await _for_each(_wakes, _wake)


def end_overdue_reviews() -> list[Chased]:
    """The same as `aend_overdue_reviews`, for a flow that is not async."""
    return run_coro_as_sync(aend_overdue_reviews())


async def aremind_reviewers(patience: timedelta = PATIENCE) -> list[Chased]:
    """Tell what is due about every waiting review: reminders, that it is late, and what a dead process left untold.

    Each is one event, `hitl.review.reminded` and so on, however many processes do this at once. Of several reminders
    that are due together one is told.

    Returns:
        What was told.
    """
    return await _for_each(_tells, partial(_tell_due, patience=patience))


def remind_reviewers(patience: timedelta = PATIENCE) -> list[Chased]:
    """The same as `aremind_reviewers`, for a flow that is not async."""
    return run_coro_as_sync(aremind_reviewers(patience))


async def arevive_dead_runs(silence: timedelta = SILENCE) -> list[UUID]:
    """Start again every run with the tag `hitl` whose process died: Running, and silent.

    Prefect's own server leaves such a run Running for ever. Should it be alive after all, whichever process records a
    step first, the other takes it over; a call that is under way is then made twice.

    Args:
        silence: How long there was neither a change of state nor a heartbeat.

    Returns:
        The flow runs that were scheduled anew.
    """
    before = datetime.now(UTC) - silence
    async with get_client() as client:
        found = [run async for run in runs_where(client, StateType.RUNNING) if run.deployment_id]
        # Workers of type `hitl` look after each other's runs, and know sooner who is alive.
        running = [run for run in found if run.state is None or Claim.of(run.state.message) is None]
        return [run.id for run in running if await _revive(client, run, before)]


def revive_dead_runs(silence: timedelta = SILENCE) -> list[UUID]:
    """The same as `arevive_dead_runs`, for a flow that is not async."""
    return run_coro_as_sync(arevive_dead_runs(silence))


_Due = Callable[[Schedule, datetime], bool]
_Act = Callable[[PrefectClient, FlowRun], Awaitable[list[str]]]


def _wakes(schedule: Schedule, now: datetime) -> bool:
    return schedule.wake_at is not None and schedule.wake_at <= now


def _tells(schedule: Schedule, now: datetime) -> bool:
    return bool(schedule.due(now))


async def _for_each(due: _Due, act: _Act) -> list[Chased]:
    """Do it for the waiting reviews whose labels say that it is due; one that cannot be reached is left for later."""
    async with get_client() as client:
        # All are listed before any is woken: who leaves the list would move the next page.
        found = [run async for run in runs_where(client, StateType.PAUSED) if _is_due(run, due)]
        return [one for run in found for one in await _chase(client, run, due, act)]


def _is_due(run: FlowRun, due: _Due) -> bool:
    labels: dict[str, Any] = run.labels
    try:
        schedule = Schedule.of(labels)
    except ValidationError:
        get_logger("hitl").warning("flow run %s is not chased: its label hitl.schedule is no schedule", run.id)
        return False
    return schedule is not None and due(schedule, datetime.now(UTC))


async def _chase(client: PrefectClient, run: FlowRun, due: _Due, act: _Act) -> list[Chased]:
    try:
        # As it is now: while others were seen to, somebody may have answered this one.
        now = await client.read_flow_run(run.id)
        waits = now.state is not None and now.state.is_paused()
        did = await act(client, now) if waits and _is_due(now, due) else []
    except _UNREACHABLE as exc:
        _leave_for_later(run, exc)
        return []
    task, case = (str(run.labels.get(f"hitl.{name}", "")) for name in ("task", "case"))
    return [Chased(run_id=run.id, task=task, case=case, did=one) for one in did]


async def _wake(client: PrefectClient, run: FlowRun) -> list[str]:
    # A run that is paused in its own process looks at its deadline itself.
    if run.state is None or not run.state.state_details.pause_reschedule:
        return []
    # The state is set rather than resumed: the resume endpoint wants the form filled in, and nobody has.
    resuming: State = Scheduled(name="Resuming")
    answer = await client.set_flow_run_state(run.id, resuming)
    return ["woken"] if answer.status == SetStateStatus.ACCEPT else []


async def _tell_due(client: PrefectClient, run: FlowRun, patience: timedelta) -> list[str]:
    labels: dict[str, Any] = run.labels
    if (schedule := Schedule.of(labels)) is None:
        return []
    asked = Round.model_validate_json(await client.read_flow_run_input(run.id, schedule.step))
    did = []
    for name in schedule.due(datetime.now(UTC)):
        notice = Notice(name=name, step=schedule.step, facts=asked.facts)
        told = await tell(client, run.id, notice, patience=patience)
        did += [name] if told == "sent" else []
        schedule = schedule if told == "not yet" else schedule.after(name)
    # No more than that: somebody may have answered meanwhile, and the next round has put its own schedule there.
    await client.update_flow_run_labels(run.id, schedule.told_labels())
    return did


async def _revive(client: PrefectClient, run: FlowRun, before: datetime) -> bool:
    try:
        if await _last_sign(client, run) >= before:
            return False
        now = await client.read_flow_run(run.id)
        if now.state is None or not now.state.is_running():
            return False
        # Forced: the rules know no way from Running back to Scheduled.
        await client.set_flow_run_state(run.id, AwaitingRetry(message="its process died"), force=True)
    except _UNREACHABLE as exc:
        _leave_for_later(run, exc)
        return False
    return True


def _leave_for_later(run: FlowRun, exc: Exception) -> None:
    # The class alone: an error of the server repeats what was sent.
    get_logger("hitl").warning("flow run %s is left for later (%s)", run.id, type(exc).__name__)


async def _last_sign(client: PrefectClient, run: FlowRun) -> datetime:
    """When the run last changed its state or sent a heartbeat."""
    wanted = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run.id}"]},
        "order": "DESC",
    }
    found = await client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1})
    beats = [datetime.fromisoformat(event["occurred"]) for event in found.json()["events"]]
    changed = [run.state.timestamp] if run.state else []
    return max([*changed, *beats], default=datetime.now(UTC))
