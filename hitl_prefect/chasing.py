"""Upkeep that one scheduled flow does for all reviews: deadlines act, and runs whose process died go on.

Nothing sleeps or polls per review. A run goes on from the top and finds in its journal what it did before.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import AwaitingRetry, Scheduled
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.inbox import Waiting, ainbox, runs_where

__all__ = ["aend_overdue_reviews", "arevive_dead_runs", "end_overdue_reviews", "revive_dead_runs"]

SILENCE = timedelta(minutes=10)
"""More than three heartbeats, which Prefect sends every three minutes unless told otherwise."""


async def aend_overdue_reviews() -> list[Waiting]:
    """Wake every suspended run whose deadline has passed.

    The run goes on from the top, finds no answer and a deadline in the past, and ends as its policy declares. A person
    who answered a moment before has already woken the run, and wins.

    Returns:
        The reviews that were woken.
    """
    overdue = [one for one in await ainbox() if one.deadline_at and one.deadline_at <= datetime.now(UTC)]
    async with get_client() as client:
        return [one for one in overdue if await _wake(client, one)]


def end_overdue_reviews() -> list[Waiting]:
    """The same as `aend_overdue_reviews`, for a flow that is not async."""
    return run_coro_as_sync(aend_overdue_reviews())


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
        running = [run async for run in runs_where(client, StateType.RUNNING) if run.deployment_id]
        return [run.id for run in running if await _revive(client, run, before)]


def revive_dead_runs(silence: timedelta = SILENCE) -> list[UUID]:
    """The same as `arevive_dead_runs`, for a flow that is not async."""
    return run_coro_as_sync(arevive_dead_runs(silence))


async def _wake(client: PrefectClient, one: Waiting) -> bool:
    run = await client.read_flow_run(one.run_id)
    # A run that is paused in its own process looks at its deadline itself.
    if run.state is None or not run.state.is_paused() or not run.state.state_details.pause_reschedule:
        return False
    # The state is set rather than resumed: the resume endpoint wants the form filled in, and nobody has.
    resuming: State = Scheduled(name="Resuming")
    return (await client.set_flow_run_state(one.run_id, resuming)).status == SetStateStatus.ACCEPT


async def _revive(client: PrefectClient, run: FlowRun, before: datetime) -> bool:
    if await _last_sign(client, run) >= before:
        return False
    now = await client.read_flow_run(run.id)
    if now.state is None or not now.state.is_running():
        return False
    # Forced: the rules know no way from Running back to Scheduled.
    await client.set_flow_run_state(run.id, AwaitingRetry(message="its process died"), force=True)
    return True


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
