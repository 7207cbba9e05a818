"""What waits for a person, and answering it over Prefect's public resume endpoint."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL
from pydantic import JsonValue
from pydantic_core import from_json

from hitl_prefect.bounds import out_of_bounds
from hitl_prefect.connecting import open_client as _client
from hitl_prefect.errors import AnswerRefused, NotWaiting, UnknownRun
from hitl_prefect.forms import Form, escape_kinds
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import visible
from hitl_prefect.keys import private_key
from hitl_prefect.people import same_person
from hitl_prefect.signatures import statement_typed
from hitl_prefect.signing import sign_verdict
from hitl_prefect.signposts import TAG
from hitl_prefect.ui import run_url

__all__ = ["Waiting", "WaitingForm", "aanswer", "afind", "ainbox", "ashow", "read_waiting"]

_PAGE = 200
"""As many as Prefect gives at once unless told otherwise."""
_TOLD = 5
"""Runs that a message names."""
_AT_ONCE = 4
"""Pages that are asked for together: the server prepares one while it reads another."""


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
        barred = any(same_person(name, other) for other in self.not_these)
        return not barred and (not self.people or any(same_person(name, other) for other in self.people))

    @property
    def urgency(self) -> tuple[bool, float, float, float]:
        """Sorts what to answer first to the front: unknown loss, high loss, early deadline, long waiting."""
        due = self.deadline_at.timestamp() if self.deadline_at else float("inf")
        return self.expected_loss is not None, -(self.expected_loss or 0), due, self.opened_at.timestamp()


class WaitingForm(Frozen):
    """A waiting run with what the person is shown."""

    waiting: Waiting
    description: str
    form_schema: dict[str, Any]

    @property
    def form(self) -> Form:
        """The form as the flow run made it, but for the draft."""
        return Form(form_schema=self.form_schema, description=self.description, draft_sha256=self.draft_sha256)

    @property
    def draft_sha256(self) -> str:
        """Names the draft that is shown; `approve` must name it."""
        return str(self.form_schema["x-hitl-draft-sha256"])

    @property
    def wants_signature(self) -> bool:
        """Whether an answer counts only with its reviewer's signature."""
        return self.form_schema.get("x-hitl-signed") is True

    @property
    def decisions(self) -> list[str]:
        """The decisions that the form offers."""
        return list(self.form.decisions)


async def ainbox() -> list[Waiting]:
    """Everything that waits for a person, in the order of `Waiting.urgency`.

    Raises:
        ServerUnreachable: If no Prefect server answers.
    """
    async with _client() as client:
        return await read_waiting(client)


async def read_waiting(client: PrefectClient) -> list[Waiting]:
    """The same as `ainbox`, through a client that is open."""
    wanted = _filter(StateType.PAUSED).model_dump(mode="json", exclude_unset=True)
    count = (await client.request("POST", "/flow_runs/count", json={"flow_runs": wanted})).json()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def page(offset: int) -> list[dict[str, Any]]:
        body = {"flow_runs": wanted, "sort": "ID_DESC", "limit": _PAGE, "offset": offset}
        async with gate:
            # Not as Prefect's models: thousands of runs cost more to validate than to read.
            return list(from_json((await client.request("POST", "/flow_runs/filter", json=body)).content))

    pages = await asyncio.gather(*map(page, range(0, count, _PAGE)))
    runs = {run["id"]: run for runs in pages for run in runs if "hitl.case" in run["labels"]}
    return sorted(filter(None, map(_listed, runs.values())), key=lambda one: one.urgency)


async def afind(run: str) -> UUID:
    """The id of a flow run that is named by its id, its name, its case, or the name that it had before it waited.

    Of several, one that waits is meant.

    Raises:
        UnknownRun: If there is none, or several.
    """
    try:
        return UUID(run)
    except ValueError:
        pass
    async with _client() as client:
        found = await _found(client, run)
    found = [one for one in found if one.state and one.state.is_paused()] or found
    if not found:
        raise UnknownRun(f"0 flow runs are named {run!r} or are about a case {run!r}; `hitl inbox` lists what waits")
    if len(found) > 1:
        which = ", ".join(f"{one.id} ({visible(one.name)})" for one in found[:_TOLD])
        raise UnknownRun(f"{len(found)} flow runs are meant by {run!r}: name one by its id: {which}")
    return found[0].id


async def _found(client: PrefectClient, run: str) -> list[FlowRun]:
    """The flow runs with this name, else of this case, else with this earlier name."""
    if named := await client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[run]))):
        return named
    # Labels cannot be searched, names can: each of ours ends in its case, unless the flow names its runs itself.
    wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=[TAG]), name=FlowRunFilterName(like_=f"case {run}"))
    near = await client.read_flow_runs(flow_run_filter=wanted)
    if about := [one for one in near if one.labels.get("hitl.case") == run]:
        return about
    waiting = await read_waiting(client)
    return [await client.read_flow_run(one.run_id) for one in waiting if run in (one.case, one.earlier_name)]


async def ashow(run_id: UUID) -> WaitingForm:
    """What a person is asked by one run.

    Raises:
        UnknownRun: If there is no such run, or it never asked anybody.
        NotWaiting: If it was answered already.
        ServerUnreachable: If no Prefect server answers.
    """
    async with _client() as client:
        return await _form(client, await _read(client, run_id))


async def aanswer(
    run_id: UUID, typed: dict[str, JsonValue], *, seen: WaitingForm | None = None, sign: bool = False
) -> None:
    """Answer one run as the form would, over the endpoint that the Prefect UI uses.

    Where the form wants a signature, the answer is signed with the key of its `reviewer` on this machine.

    Args:
        run_id: The waiting flow run.
        typed: `decision`, and as the decision wants it `answer`, `guidance`, `reason`, `reviewer`; `draft_sha256`
            names the draft that was seen, `round` this one time of asking (`x-hitl-round` of the form), and `channel`
            says through which door (`cli`, `api`). With a `signature` of its own it is sent as it stands.
        seen: The form that the person saw, which is what they sign. Default: the one that waits now.
        sign: Sign also where the form does not want it.

    Raises:
        ConfigError: If a signature is wanted and there is no key of the reviewer here that opens.
        UnknownRun, NotWaiting: As for `ashow`; also where somebody else was faster.
        AnswerRefused: If the form does not allow what was typed; nothing has changed.
        ServerUnreachable: If no Prefect server answers.
    """
    if too_much := out_of_bounds(typed):
        raise AnswerRefused(too_much)
    async with _client() as client:
        run = await _read(client, run_id)
        _keyset(run)
        form = seen or await _form(client, run)
        sent = _signed(form, typed) if sign or form.wants_signature else typed
        safe = {name: escape_kinds(value) for name, value in sent.items()}
        result = await _resume(client, run_id, safe)
    if result.status == SetStateStatus.ACCEPT:
        return
    reason = str(getattr(result.details, "reason", result.status))
    if result.status == SetStateStatus.ABORT:
        raise NotWaiting(f"flow run {run_id} was answered by somebody else a moment ago: {reason}")
    raise AnswerRefused((f"flow run {run_id}: {reason}",))


def _signed(form: WaitingForm, typed: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if "signature" in typed:
        return typed
    waiting = form.waiting
    said = statement_typed(
        typed,
        form_schema=form.form_schema,
        description=form.description,
        task=waiting.task,
        case=waiting.case,
    )
    try:
        return {**typed, "signature": sign_verdict(private_key(said.reviewer), said)}
    except ValueError as exc:
        raise AnswerRefused((f"flow run {waiting.run_id}: what was typed cannot be signed: {exc}",)) from exc


async def _form(client: PrefectClient, run: FlowRun) -> WaitingForm:
    keyset = _keyset(run)
    schema = await client.read_flow_run_input(run.id, keyset["schema"])
    description = await client.read_flow_run_input(run.id, keyset["description"])
    return WaitingForm(
        waiting=_waiting(run.id, run.name, run.labels),
        description=json.loads(description),
        form_schema=json.loads(schema),
    )


async def _resume(client: PrefectClient, run_id: UUID, typed: dict[str, Any]) -> OrchestrationResult[Any]:
    try:
        return await client.resume_flow_run(run_id, run_input=typed)
    except PrefectHTTPStatusError as exc:
        if exc.response.status_code == 409:  # PostgreSQL's word for a lost race
            raise NotWaiting(f"flow run {run_id} was answered by somebody else a moment ago") from exc
        raise


async def runs_where(client: PrefectClient, kind: StateType) -> AsyncIterator[FlowRun]:
    """Our flow runs whose state is of one type, page by page, each once."""
    wanted = _filter(kind)
    seen: set[UUID] = set()
    offset = 0
    # Sorted by id: by time, a run that joins between two pages would move all others.
    by_id = FlowRunSort.ID_DESC
    while page := await client.read_flow_runs(flow_run_filter=wanted, sort=by_id, limit=_PAGE, offset=offset):
        for run in page:
            if run.id not in seen:
                seen.add(run.id)
                yield run
        offset += len(page)


def _filter(kind: StateType) -> FlowRunFilter:
    return FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[kind])),
    )


async def _read(client: PrefectClient, run_id: UUID) -> FlowRun:
    try:
        run = await client.read_flow_run(run_id)
    except ObjectNotFound as exc:
        raise UnknownRun(f"no flow run {run_id} on {PREFECT_API_URL.value()}; `hitl inbox` lists what waits") from exc
    if "hitl.case" not in run.labels:
        raise UnknownRun(f"flow run {run_id} ({run.name}) never asked a person; `hitl inbox` lists what waits")
    return run


def _keyset(run: FlowRun) -> dict[str, str]:
    """Where the form of a waiting run is kept."""
    keyset = run.state.state_details.run_input_keyset if run.state and run.state.is_paused() else None
    if keyset is None:
        state = run.state.name if run.state else "without a state"
        raise NotWaiting(f"flow run {run.id} ({run.name}) does not wait for a person: it is {state}")
    return keyset


def _listed(run: Mapping[str, Any]) -> Waiting | None:
    """A run of a list; `None` where its labels were broken: the others are listed all the same."""
    try:
        return _waiting(UUID(run["id"]), run["name"], run["labels"])
    except (KeyError, ValueError, TypeError) as exc:
        get_logger("hitl").warning("flow run %s waits and is not listed: its labels are broken: %r", run["id"], exc)
        return None


def _waiting(run_id: UUID, name: str, label: Mapping[str, Any]) -> Waiting:
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
        url=run_url(run_id),
    )
