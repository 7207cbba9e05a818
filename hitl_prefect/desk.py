"""How a flow run is put to wait for a person, and what of the answer comes back.

A deployment's run is suspended: its process ends and the waiting is a few rows in Prefect's database. Without a
deployment Prefect cannot start the run again, so it is paused and its process looks once a second.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import Pause
from prefect.input.run_input import keyset_from_paused_state
from prefect.states import Paused, Running, Suspended
from pydantic import AwareDatetime

from hitl_prefect.errors import ConfigError, ReviewError
from hitl_prefect.forms import Form
from hitl_prefect.frozen import Frozen
from hitl_prefect.inbox_page import refresh_page
from hitl_prefect.journal import Execution, Journal, create_row, execution_of
from hitl_prefect.notices import Facts, Notice, Schedule, tell
from hitl_prefect.panel import Ask
from hitl_prefect.signposts import mark_waiting

__all__ = [
    "How",
    "Round",
    "Signs",
    "Typed",
    "Waited",
    "check_place",
    "close_round",
    "keyset_of",
    "one_case_at_a_time",
    "typed_in",
    "wait_for_person",
]

How = Literal["suspended", "paused"]
"""How a run waits: with its process ended, or in its process."""

_POLL_S = 1.0


class Round(Frozen):
    """One time that a person was asked; recorded before the run waits."""

    number: int
    attempt: int
    pause_key: str
    how: How
    form: Form
    ask: Ask
    facts: Facts
    """What is told about it."""
    opens_as: Literal["opened", "widened", "escalated"] | None = "opened"
    """What is told when it opens; `None` where the same people were asked the same a moment before."""
    opened_at: AwareDatetime
    since: AwareDatetime
    """When somebody last did something: from then on patience counts."""
    is_born_waiting: bool = False
    """Whether the flow run was created waiting with this round, and so never had to be put to wait."""

    @property
    def response_key(self) -> str:
        """Where Prefect keeps what was typed."""
        return f"{self.how}-{self.pause_key}-response"

    @property
    def ends_at(self) -> datetime | None:
        """When silence means something; `None`: nothing but a person ends this round."""
        return None if self.ask.patience_s is None else self.since + timedelta(seconds=self.ask.patience_s)

    def overdue(self, now: datetime) -> bool:
        """Whether nobody came in time."""
        return self.ends_at is not None and now >= self.ends_at


class Signs(Frozen):
    """What a waiting run shows: to people on Prefect's pages and in the inbox, and to the upkeep."""

    name: str
    """What the run is called meanwhile."""
    message: str
    labels: dict[str, str | float]
    """What the inbox lists."""
    schedule: Schedule

    @property
    def all_labels(self) -> dict[str, str | float]:
        """The inbox's and the upkeep's."""
        return self.labels | self.schedule.labels()


class Waited(Frozen):
    """The run really waited with this round's form; before that no silence means anything."""

    at: AwareDatetime


class Typed(Frozen):
    """What came back from the form."""

    data: dict[str, Any]
    """Whatever the server took: it may be too large, or nested too deeply, for a `JsonValue`."""
    at: AwareDatetime
    """When the Prefect server took it."""


def check_place() -> How:
    """How a review would wait here.

    Raises:
        ConfigError: If a review cannot wait here: outside a flow run, inside a task, or in a subflow.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise ConfigError("a review needs a flow run: call it in the body of a function with @flow")
    if TaskRunContext.get() is not None:
        raise ConfigError("a review cannot wait inside a task: call it in the body of the flow")
    if context.flow_run.parent_task_run_id is not None:
        raise ConfigError(
            f"Prefect cannot suspend the subflow {context.flow_run.name!r}: call it in the parent flow, or start this "
            "flow with run_deployment(..., as_subflow=False)"
        )
    return "paused" if context.flow_run.deployment_id is None else "suspended"


async def typed_in(journal: Journal, asked: Round) -> Typed | None:
    """What a person submitted in this round; `None` where nobody did. An empty resume is nobody."""
    row = await journal.row(asked.response_key)
    data = {} if row is None else json.loads(row[0])
    if not row or not data:
        return None
    # Written past the form: it is asked again like anything else that does not apply.
    return Typed(data=data if isinstance(data, dict) else {"answer": data}, at=row[1])


async def close_round(journal: Journal, asked: Round) -> Typed | None:
    """Take the answer's place, so that Prefect takes none any more; or what a person has put there first.

    The database keeps one row per run and key: of a person and a deadline that come together, one is first, and the
    other is told so.
    """
    await create_row(journal.client, journal.flow_run_id, asked.response_key, "{}")
    return await typed_in(journal, asked)


async def wait_for_person(journal: Journal, asked: Round, signs: Signs) -> None:
    """Put the run to wait, under a name that says for what, until somebody answers or the deadline passes.

    Returns only where the run is paused; a suspended run ends its process here and comes back from the top.
    """
    make = Suspended if asked.how == "suspended" else Paused
    # Without an expiry of Prefect's: that could only fail the run.
    state: State = make(pause_key=asked.pause_key, message=signs.message, timeout_seconds=None)
    keyset = state.state_details.run_input_keyset = keyset_of(state)
    # Labels and form stand before the run waits, so that a crash in between leaves nothing that cannot be answered; and
    # again after it, since Prefect 3.9.1 clears the rows of a key when that key fires.
    await journal.client.update_flow_run_labels(journal.flow_run_id, signs.all_labels)
    await mark_waiting(journal.client, journal.flow_run_id, signs.name)
    await _save_form(journal, keyset, asked.form)
    state = await _enter(journal.client, journal.flow_run_id, state)
    await journal.record(f"waited-{asked.attempt}-{asked.number}", Waited(at=datetime.now(UTC)))
    await _save_form(journal, keyset, asked.form)
    await _tell_opening(journal, asked, signs)
    await refresh_page(journal.client, journal.flow_run_id)
    get_run_logger().info("%s: waits for a person", signs.message)
    if asked.how == "suspended":
        if (here := execution_of(journal.flow_run_id)) in _turns:
            _suspended[here] = state
        raise Pause(state=state)
    await _look_until_resumed(journal.client, journal.flow_run_id, asked)


async def _tell_opening(journal: Journal, asked: Round, signs: Signs) -> None:
    if asked.opens_as is None:
        return
    notice = Notice(name=asked.opens_as, step=signs.schedule.step, facts=asked.facts)
    if await tell(journal.client, journal.flow_run_id, notice) != "not yet":
        # All labels again: the server reads and writes them whole, so that the upkeep may have put back older ones.
        told = signs.labels | signs.schedule.after(notice.name).labels()
        await journal.client.update_flow_run_labels(journal.flow_run_id, told)


def keyset_of(state: State) -> dict[str, str]:
    """Under which keys Prefect keeps the form of a waiting state, and what is typed into it."""
    keys = keyset_from_paused_state(state)
    return {"schema": keys["schema"], "description": keys["description"], "response": keys["response"]}


_turns: dict[Execution, asyncio.Lock] = {}
_suspended: dict[Execution, State] = {}
"""What this process has suspended."""


@asynccontextmanager
async def one_case_at_a_time(run_id: UUID) -> AsyncIterator[None]:
    """Cases of one run that were started together go one after the other.

    A run can wait for one person at a time: suspending it in the middle of another case's call would lose the reply.
    """
    here = execution_of(run_id)
    async with _turns.setdefault(here, asyncio.Lock()):
        if here in _suspended:
            raise Pause(state=_suspended[here])
        yield


async def _save_form(journal: Journal, keyset: dict[str, str], form: Form) -> None:
    for part, value in (("schema", form.form_schema), ("description", form.description)):
        await create_row(journal.client, journal.flow_run_id, keyset[part], json.dumps(value))


async def _enter(client: PrefectClient, run_id: UUID, state: State) -> State:
    answer = await client.set_flow_run_state(run_id, state)
    if answer.status == SetStateStatus.ACCEPT and answer.state is not None:
        return answer.state
    await _leave_quietly_if_waiting(client, run_id)
    raise ReviewError(f"flow run {run_id} cannot wait for a person: {getattr(answer.details, 'reason', answer.status)}")


async def _leave_quietly_if_waiting(client: PrefectClient, run_id: UUID) -> None:
    """Another process of the same run got here first: leave the waiting to it."""
    run = await client.read_flow_run(run_id)
    if run.state is not None and run.state.is_paused():
        raise Pause(state=run.state)


async def _look_until_resumed(client: PrefectClient, run_id: UUID, asked: Round) -> None:
    while True:
        await asyncio.sleep(_POLL_S)
        state = (await client.read_flow_run(run_id)).state
        if state is None or state.is_running():
            return
        if not state.is_paused():
            _give_up(run_id, state)
        if asked.overdue(datetime.now(UTC)):
            await client.set_flow_run_state(run_id, Running())


def _give_up(run_id: UUID, state: State) -> NoReturn:
    raise ReviewError(f"flow run {run_id} stopped waiting for a person: it is {state.name}")
