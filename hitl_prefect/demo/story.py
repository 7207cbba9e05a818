"""What happens in the demo, from the messages to the outcomes."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from pydantic import JsonValue

from hitl_prefect.answering import aanswer, ashow
from hitl_prefect.blocks import FolderStoreBlock
from hitl_prefect.errors import ConfigError, HitlError
from hitl_prefect.frozen import Frozen
from hitl_prefect.inbox import ainbox
from hitl_prefect.outcomes import Outcome, outcome_prefix
from hitl_prefect.stores.folder import FolderStore

__all__ = ["DemoMessage", "answer_by_script", "outcomes_in", "read_messages", "send", "until_answered", "until_settled"]

INSTRUCTIONS = "Which team should handle this message from a customer of an online shop that also issues cards?"
CATEGORIES = ("account", "billing", "delivery", "feedback", "refund", "technical")

_DEPLOYMENT = "resolve-case/resolve-case"
_PATIENCE_S = 300.0
_POLL_S = 0.5


class DemoMessage(Frozen):
    """A support message, and the team that a careful person would choose."""

    id: str
    text: str
    category: str
    round: int
    """1: sent through the server. 2: of the same kinds, to see what was learnt from the first."""


def read_messages(number: int) -> list[DemoMessage]:
    """What the package ships for a round of the demo, 1 or 2; no shipped training message is among them."""
    lines = (Path(__file__).parents[1] / "data" / "demo_messages.jsonl").read_text("utf-8").splitlines()
    return [one for one in map(DemoMessage.model_validate_json, lines) if one.round == number]


async def send(messages: list[DemoMessage], *, model: str, outcomes: Path) -> dict[UUID, DemoMessage]:
    """Save the store's block and trigger one flow run per message, as any API client would."""
    await FolderStoreBlock(path=str(outcomes)).asave("outcomes", overwrite=True)
    async with get_client() as client:
        deployment_id = await _deployment(client)
        runs = [
            await client.create_flow_run_from_deployment(
                deployment_id, parameters=_parameters(one, model), name=one.id, idempotency_key=one.id
            )
            for one in messages
        ]
    return {run.id: message for run, message in zip(runs, messages, strict=True)}


def _parameters(message: DemoMessage, model: str) -> dict[str, JsonValue]:
    return {
        "prompt": message.text,
        "instructions": INSTRUCTIONS,
        "choices": list(CATEGORIES),
        "model": model,
        "case_id": message.id,
    }


async def _deployment(client: PrefectClient) -> UUID:
    """The served flow, once it has registered itself."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            return (await client.read_deployment_by_name(_DEPLOYMENT)).id
        except ObjectNotFound:
            await asyncio.sleep(_POLL_S)
    raise ConfigError(f"the flow {_DEPLOYMENT} was never served; its log stands beside the server's")


async def until_settled(sent: dict[UUID, DemoMessage], tell: Callable[[str], None], *, waiting_counts: bool) -> None:
    """Wait until every run has ended, or waits for a person where that counts.

    Raises:
        HitlError: If a run failed, or five minutes brought nothing new.
    """
    seen: set[UUID] = set()
    until = time.monotonic() + _PATIENCE_S
    while len(seen) < len(sent):
        if time.monotonic() > until:
            raise HitlError(f"{len(sent) - len(seen)} flow runs did not end within {_PATIENCE_S:.0f} s")
        for run in await _runs(list(sent)):
            if run.id not in seen and _settled(run, waiting_counts=waiting_counts):
                seen.add(run.id)
                until = time.monotonic() + _PATIENCE_S
                tell(f"  {sent[run.id].id}  {_what_happened(run)}")
        await asyncio.sleep(_POLL_S)


async def _runs(ids: list[UUID]) -> list[FlowRun]:
    async with get_client() as client:
        return await client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)))


def _settled(run: FlowRun, *, waiting_counts: bool) -> bool:
    if run.state is not None and run.state.is_final() and not run.state.is_completed():
        raise HitlError(f"flow run {run.name} is {run.state.name}: {run.state.message}")
    return run.state is not None and (run.state.is_completed() or (waiting_counts and run.state.is_paused()))


def _what_happened(run: FlowRun) -> str:
    if run.state is not None and run.state.is_paused():
        return f"waits for a person ({str(run.labels['hitl.reason']).replace('_', ' ')})"
    return "answered, goes on to the store" if "hitl.case" in run.labels else "accepted"


async def answer_by_script(sent: dict[UUID, DemoMessage], tell: Callable[[str], None]) -> None:
    """Answer everything that waits over the public resume endpoint, as a careful person would."""
    for one in await ainbox():
        message = sent[one.run_id]
        form = await ashow(one.run_id)
        verdict: dict[str, JsonValue] = {"decision": "approve"}
        if form.form_schema["properties"]["answer"].get("default") != message.category:
            verdict = {"decision": "edit", "answer": message.category}
        tell(f"  scripted reviewer: {message.id}  {' '.join(map(str, verdict.values()))}")
        seen = {"draft_sha256": form.draft_sha256, "reviewer": "scripted-reviewer", "channel": "api"}
        await aanswer(one.run_id, {**verdict, **seen})


async def until_answered(sent: dict[UUID, DemoMessage], tell: Callable[[str], None]) -> None:
    """Wait until every run has ended; say what was answered, and what is asked anew after a `retry`."""
    known = {one.run_id: one for one in await ainbox()}
    while not all(_settled(run, waiting_counts=False) for run in await _runs(list(sent))):
        now = {one.run_id: one for one in await ainbox()}
        for gone in known.keys() - now.keys():
            tell(f"  {known[gone].case}  answered")
        for new in now.keys() - known.keys():
            tell(f"  {now[new].case}  waits again: {now[new].url}")
        known = now
        await asyncio.sleep(1)


def outcomes_in(folder: Path) -> list[Outcome[str]]:
    """Every outcome that the store holds, by case."""
    store = FolderStore(folder)
    found = [Outcome[str].model_validate_json(store.get(key)) for key in store.keys(outcome_prefix())]
    return sorted(found, key=lambda outcome: outcome.case.id)
