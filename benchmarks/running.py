"""Run an exam through the deployed flow: one flow run per case, and a scripted reviewer for those that wait."""

import asyncio
import time
from contextlib import suppress
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from pydantic import JsonValue

from benchmarks.exams import Exam, Trial
from benchmarks.site import Site
from hitl_prefect.answering import aanswer
from hitl_prefect.errors import HitlError, ServerUnreachable
from hitl_prefect.frozen import Frozen
from hitl_prefect.inbox import ainbox
from hitl_prefect.outcomes import Outcome
from hitl_prefect.stores import store_for

__all__ = ["Ran", "parameters_of", "run_exam", "stored"]

_PATIENCE_S = 300.0
_POLL_S = 1.0


class Ran(Frozen):
    """What an exam left behind."""

    exam: Exam
    outcomes: tuple[Outcome[JsonValue], ...]
    """As they were read back from the store."""
    calls: int | None
    """Requests that the replaying server counted; `None` where there is no server in between."""
    seconds: float
    """From the first flow run's start to the end of the last."""


async def run_exam(site: Site, exam: Exam) -> Ran:
    """Run every case of an exam, and read the outcomes back from the store.

    Raises:
        HitlError: If a flow run failed, or five minutes brought nothing new.
    """
    store = site.new_store(exam.model.replace(":", "-"))
    deployment = await _deployment(exam.deployment)
    started = time.monotonic()
    await _until_all_ended(await _start(exam, deployment, store))
    seconds = time.monotonic() - started
    calls = None if exam.replies is None else site.calls(exam.model)
    return Ran(exam=exam, outcomes=stored(store), calls=calls, seconds=seconds)


async def _deployment(name: str) -> UUID:
    """The served flow, once it has registered itself."""
    until = time.monotonic() + _PATIENCE_S
    async with get_client() as client:
        while time.monotonic() < until:
            try:
                return (await client.read_deployment_by_name(name)).id
            except ObjectNotFound:
                await asyncio.sleep(_POLL_S)
    raise HitlError(f"the flow {name!r} was never served")


async def _start(exam: Exam, deployment: UUID, store: str) -> dict[UUID, Trial]:
    async with get_client() as client:
        runs = [
            await client.create_flow_run_from_deployment(deployment, parameters=parameters_of(exam, trial, store))
            for trial in exam.trials
        ]
    return {run.id: trial for run, trial in zip(runs, exam.trials, strict=True)}


def parameters_of(exam: Exam, trial: Trial, store: str) -> dict[str, JsonValue]:
    """What the flow run of one case is started with."""
    return {
        **exam.parameters,
        "prompt": trial.prompt,
        "case_id": trial.id,
        "model": exam.model,
        "store": store,
        "policy": exam.policy.model_dump(mode="json"),
    }


async def _until_all_ended(started: dict[UUID, Trial]) -> None:
    """Answer whatever waits for a person, until every run has completed."""
    left = dict(started)
    until = time.monotonic() + _PATIENCE_S
    async with get_client() as client:
        while left:
            answered = await _answer_what_waits(left)
            ended = [run.id for run in await _runs(client, list(left)) if _has_completed(run)]
            if answered or ended:
                until = time.monotonic() + _PATIENCE_S
            if time.monotonic() > until:
                raise HitlError(f"{len(left)} flow runs did not end within {_PATIENCE_S:.0f} s")
            for run_id in ended:
                del left[run_id]
            await asyncio.sleep(_POLL_S)


async def _answer_what_waits(left: dict[UUID, Trial]) -> int:
    """Answer over the public resume endpoint, as the Prefect UI does."""
    # A set: a run that begins to wait while the inbox is read page by page can move another onto two pages.
    answered = 0
    # A server whose SQLite is locked answers 503: what was not answered still waits at the next look.
    with suppress(ServerUnreachable):
        for run_id in {one.run_id for one in await ainbox()} & left.keys():
            await aanswer(run_id, left[run_id].typed)
            answered += 1
    return answered


async def _runs(client: PrefectClient, ids: list[UUID]) -> list[FlowRun]:
    return await client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)))


def _has_completed(run: FlowRun) -> bool:
    if run.state is not None and run.state.is_final() and not run.state.is_completed():
        raise HitlError(f"flow run {run.name} is {run.state.name}: {run.state.message}")
    return run.state is not None and run.state.is_completed()


def stored(url: str) -> tuple[Outcome[JsonValue], ...]:
    """Every outcome in a store."""
    store = store_for(url)
    return tuple(Outcome[JsonValue].model_validate_json(store.get(key)) for key in store.keys("outcomes/"))
