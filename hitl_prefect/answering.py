"""Finding one run that waits for a person, and answering it over Prefect's public resume endpoint."""

import json
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL
from pydantic import JsonValue

from hitl_prefect.bounds import out_of_bounds
from hitl_prefect.connecting import open_client
from hitl_prefect.errors import AnswerRefused, NotWaiting, UnknownRun
from hitl_prefect.forms import Form, escape_kinds
from hitl_prefect.frozen import Frozen
from hitl_prefect.inbox import read_waiting
from hitl_prefect.inert import visible
from hitl_prefect.keys import private_key
from hitl_prefect.run_pages import TAG
from hitl_prefect.signatures import statement_typed
from hitl_prefect.signing import sign_verdict
from hitl_prefect.ui import arun_url
from hitl_prefect.waiting import Waiting, waiting_run

__all__ = ["WaitingForm", "aanswer", "afind", "ashow"]

_TOLD = 5
"""Runs that a message names."""


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
        return self.form.is_signed

    @property
    def decisions(self) -> list[str]:
        """The decisions that the form offers."""
        return list(self.form.decisions)


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
    async with open_client() as client:
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
    async with open_client() as client:
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
    async with open_client() as client:
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
    said = statement_typed(typed, form.form, task=waiting.task, case=waiting.case)
    try:
        return {**typed, "signature": sign_verdict(private_key(said.reviewer), said)}
    except ValueError as exc:
        raise AnswerRefused((f"flow run {waiting.run_id}: what was typed cannot be signed: {exc}",)) from exc


async def _form(client: PrefectClient, run: FlowRun) -> WaitingForm:
    keyset = _keyset(run)
    schema = await client.read_flow_run_input(run.id, keyset["schema"])
    description = await client.read_flow_run_input(run.id, keyset["description"])
    return WaitingForm(
        waiting=waiting_run(run.id, run.name, run.labels, await arun_url(run.id)),
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
