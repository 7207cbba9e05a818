"""Calibrating a store: the bars that its outcomes allow become the version in force, and it is told."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.calibration_tables import Calibrating, TaskBars
from hitl_prefect.calibrations import Calibrated
from hitl_prefect.configured import store_of
from hitl_prefect.events import event_of_run, post_events
from hitl_prefect.evidence import Evidence
from hitl_prefect.gathering import gather
from hitl_prefect.models import Promise
from hitl_prefect.policy_versions import calibrated_tasks, newest, put_next
from hitl_prefect.protocols import Store
from hitl_prefect.recalibrating import next_version

__all__ = ["acalibrate", "calibrate"]


async def acalibrate(
    store: str, *, task: str | None = None, promise: Promise | None = None, dry_run: bool = False
) -> Calibrating:
    """Find the bars that keep what the policies promise, and put them in force for the flow runs that begin from now.

    Reads every outcome. A task whose bars have not changed gets no new version. A new one is told as the Prefect event
    `hitl.policy.changed`, and an alarm as `hitl.drift.alarm`, where a server is configured.

    Args:
        store: Where outcomes and bars are kept: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Only this one.
        promise: What is to be promised; `None`: what the policies promised that the cases were routed by.
        dry_run: Only say what would be in force.

    Raises:
        ConfigError: If there is no such store.
        StoreError: If the store is down, lets nobody list or write, or holds a version that was changed.
    """
    source = await store_of(store)
    found = await asyncio.to_thread(_calibrated, source, task, promise, dry_run=dry_run)
    if not dry_run:
        await _tell(source, [one for one in found.tasks if one.is_new])
    return found


def calibrate(
    store: str, *, task: str | None = None, promise: Promise | None = None, dry_run: bool = False
) -> Calibrating:
    """The same as `acalibrate`, for a flow that is not async."""
    return run_coro_as_sync(acalibrate(store, task=task, promise=promise, dry_run=dry_run))


def _calibrated(store: Store, task: str | None, promise: Promise | None, *, dry_run: bool) -> Calibrating:
    gathered = gather(store, task)
    of_task: dict[str, list[Evidence]] = defaultdict(list)
    for one in gathered.evidence:
        of_task[one.key.task].append(one)
    tasks = {task} if task else {*of_task, *calibrated_tasks(store)}
    bars = [_bars(store, name, of_task[name], promise, dry_run=dry_run) for name in sorted(tasks)]
    return Calibrating(tasks=tuple(one for one in bars if one), unreadable=tuple(gathered.unreadable))


def _bars(
    store: Store, task: str, evidence: Sequence[Evidence], promise: Promise | None, *, dry_run: bool
) -> TaskBars | None:
    """What is in force for a task now; `None` where no policy promises anything of it."""
    before: list[Calibrated | None] = []

    def follow(previous: Calibrated | None) -> Calibrated | None:
        before.append(previous)
        return next_version(evidence, task, previous, promise=promise, at=datetime.now(UTC))

    made = follow(newest(store, task)) if dry_run else put_next(store, task, follow)
    stands = made or before[-1]
    return TaskBars(calibrated=stands, replaces=before[-1], is_new=made is not None) if stands else None


async def _tell(store: Store, changed: Sequence[TaskBars]) -> None:
    """Nothing fails where Prefect is away: the bars are in force all the same."""
    if not changed or not PREFECT_API_URL.value():
        return
    events = [event for one in changed for event in _events(store, one)]
    try:
        async with get_client() as client:
            await post_events(client, events)
    except (PrefectHTTPStatusError, httpx.TransportError) as exc:
        get_logger("hitl").warning("%d new versions could not be told (%s)", len(changed), type(exc).__name__)


def _events(store: Store, one: TaskBars) -> list[dict[str, Any]]:
    version = f"version {one.calibrated.number}"
    changed = one.calibrated.model_dump(mode="json", include={"task", "number", "previous", "calibrations"})
    alarms = [alarm.model_dump(mode="json") for alarm in one.alarms]
    return [
        _event(store, one, "hitl.policy.changed", f"{one.calibrated.task}, {version}", changed),
        *(
            _event(store, one, "hitl.drift.alarm", f"{one.calibrated.task}: {alarm['alarm']}", alarm)
            for alarm in alarms
        ),
    ]


def _event(store: Store, one: TaskBars, name: str, title: str, payload: dict[str, Any]) -> dict[str, Any]:
    task, number = one.calibrated.task, one.calibrated.number
    return event_of_run(
        UUID(str(flow_run.id)) if flow_run.id else None,
        name,
        # The same whoever sends it.
        event_id=uuid5(NAMESPACE_URL, f"{store.url}/{task}/{number}/{name}/{title}/{payload.get('model', '')}"),
        resource=f"hitl.policy.{task}",
        title=title,
        task=task,
        payload={**payload, "store": store.url},
    )
