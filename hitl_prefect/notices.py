"""What people are told about a review, each thing once: events of Prefect, which automations turn into messages.

Who tells claims a row of the flow run first, so that of several processes one does. The event's id is made from the
row's key: where the one who claimed it died, whoever comes later asks the server whether it has the event, and sends
the same event again if not. Prefect keeps one event per id, and fires an automation once for it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import get_logger
from pydantic import AwareDatetime

from hitl_prefect.events import event_of_run, post_events
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import cut, fence, visible
from hitl_prefect.journal import create_row, read_row
from hitl_prefect.ui import arun_url

__all__ = ["EVENTS", "PATIENCE", "Event", "Facts", "Notice", "Schedule", "excerpt", "quoted", "send_together", "tell"]

Event = Literal["opened", "reminded", "widened", "escalated", "overdue", "settled"]
EVENTS: tuple[Event, ...] = ("opened", "reminded", "widened", "escalated", "overdue", "settled")

PATIENCE = timedelta(minutes=1)
"""Who claimed a notice and has not sent its event by then is taken for dead; sending takes milliseconds, and the
server lists an event within seconds."""
_BRACKETS = str.maketrans("<>", "\u2039\u203a")
_EXCERPT = 400
"""Characters of a prompt or draft in a message."""


class Facts(Frozen):
    """What a message may hold: neither prompt nor draft unless `Policy.message_holds` names them."""

    task: str
    case: str
    reason: str
    """Why a person is asked: a route reason, or `blind`."""
    confidence: float | None
    step: str
    """As what somebody is asked: `reviewer`, `second`, `tie_breaker` or `escalated`. Probes are not given away."""
    people: tuple[str, ...] = ()
    """Who may answer. Empty: anybody."""
    deadline_at: AwareDatetime | None = None
    """When the policy's deadline decides; `None` where it holds."""
    prompt: str | None = None
    draft: str | None = None
    decision: str | None = None
    """Only of `settled`."""
    decided_by: str | None = None
    """Only of `settled`."""


class Notice(Frozen):
    """One thing to tell about one step of a review."""

    name: str
    """The event, and of reminders which: `opened`, `reminded-2`."""
    step: str
    """The key of the step in the run's journal: `hitl-...-round-1-2`."""
    facts: Facts

    @property
    def event(self) -> str:
        """The event's name in Prefect."""
        return f"hitl.review.{_event(self.name)}"

    @property
    def key(self) -> str:
        """The row that claims it."""
        return f"{self.step}-told-{self.name}"

    def id_in(self, run_id: UUID) -> UUID:
        """The event's id: whoever sends it, Prefect sees one event."""
        return uuid5(NAMESPACE_URL, f"{run_id}/{self.key}")


class _Told(Frozen):
    """What has been told of one round: a label of its own, so that whoever marks it writes no older schedule back."""

    step: str
    told: tuple[str, ...]


class Schedule(Frozen):
    """When what is to be done about a waiting run: kept in its labels, so that a list of runs tells it."""

    step: str
    """The key of the round in the run's journal."""
    wake_at: AwareDatetime | None = None
    """When silence means something, and the run goes on."""
    notices: dict[str, AwareDatetime]
    """What is told when; what opened the round as well, should its own process die before it has told it."""
    told: tuple[str, ...] = ()

    @classmethod
    def of(cls, labels: dict[str, Any]) -> Self | None:
        """The schedule in a run's labels; `None` where there is none."""
        text, marks = labels.get("hitl.schedule"), labels.get("hitl.told")
        if not isinstance(text, str) or not text:
            return None
        schedule = cls.model_validate_json(text)
        done = _Told.model_validate_json(marks) if isinstance(marks, str) else None
        # Those of the round before mark nothing of this one.
        return schedule.model_copy(update={"told": done.told}) if done and done.step == schedule.step else schedule

    def labels(self) -> dict[str, str | float]:
        """The schedule as labels."""
        return {"hitl.schedule": self.model_dump_json(exclude={"told"})} | self.told_labels()

    def told_labels(self) -> dict[str, str | float]:
        """Only what has been told, as a label."""
        return {"hitl.told": _Told(step=self.step, told=self.told).model_dump_json()}

    def due(self, now: datetime) -> list[str]:
        """What is to be told now, the earliest first; of several reminders only the last."""
        due = sorted((name for name, at in self.notices.items() if at <= now and name not in self.told), key=self._when)
        return list({_event(name): name for name in due}.values())

    def after(self, name: str) -> Self:
        """The schedule when something has been told: it makes up for the reminders before it."""
        done = {one for one in self.notices if _event(one) == _event(name) and self._when(one) <= self._when(name)}
        return self.model_copy(update={"told": tuple(sorted({*self.told, *done}))})

    def _when(self, name: str) -> datetime:
        return self.notices[name]


def _event(name: str) -> str:
    """The event of a notice's name."""
    return name.partition("-")[0]


def quoted(text: str) -> str:
    r"""Somebody else's words that no chat takes for a mention and no mail for markup.

    >>> quoted("<!channel> \u202epay")
    '\u2039!channel\u203a \\u202epay'
    """
    return visible(text).translate(_BRACKETS)


def excerpt(text: str) -> str:
    """The beginning and the end of somebody else's words, inert, behind a fence."""
    return fence(quoted(cut(text, _EXCERPT)))


async def tell(
    client: PrefectClient, run_id: UUID, notice: Notice, *, patience: timedelta = PATIENCE
) -> Literal["sent", "sent before", "not yet"]:
    """Send the event of a notice once, however many processes try and whenever they die.

    Nothing is raised where the server refuses or is away: a review must not fail because of a message. The next
    `remind_reviewers()` makes up for it.

    Returns:
        `not yet` where another process is at it, or where it went wrong.
    """
    try:
        if await create_row(client, run_id, notice.key, "{}"):
            return await _send(client, run_id, notice)
        if not await _left_behind(client, run_id, notice, patience):
            return "not yet"
        known = await _known(client, run_id, notice)
        return "sent before" if known else await _send(client, run_id, notice)
    except (PrefectHTTPStatusError, httpx.TransportError) as exc:
        # The class alone: an error of the server repeats what was sent.
        get_logger("hitl").warning("flow run %s: %s could not be told (%s)", run_id, notice.name, type(exc).__name__)
        return "not yet"


async def _left_behind(client: PrefectClient, run_id: UUID, notice: Notice, patience: timedelta) -> bool:
    """Whether whoever claimed it has had the time to send it."""
    row = await read_row(client, run_id, notice.key)
    return row is not None and row[1] <= datetime.now(UTC) - patience


async def _known(client: PrefectClient, run_id: UUID, notice: Notice) -> bool:
    wanted = {"id": {"id": [str(notice.id_in(run_id))]}}
    found = await client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1})
    return bool(found.raise_for_status().json()["events"])


async def send_together(client: PrefectClient, notices: Sequence[tuple[UUID, Notice]]) -> bool:
    """Send the events of many runs in one request, without a claim: whoever sends one again sends the same event.

    Nothing is raised where the server refuses or is away, as for `tell`; returns whether it took them.
    """
    try:
        events = [await _event_of(run_id, notice) for run_id, notice in notices]
        await post_events(client, events)
    except (PrefectHTTPStatusError, httpx.TransportError) as exc:
        get_logger("hitl").warning("%d notices could not be told (%s)", len(notices), type(exc).__name__)
        return False
    return True


async def _send(client: PrefectClient, run_id: UUID, notice: Notice) -> Literal["sent"]:
    """Over REST and awaited: Prefect's own worker sends in the background, and a run that is suspended ends at once."""
    await post_events(client, [await _event_of(run_id, notice)])
    return "sent"


async def _event_of(run_id: UUID, notice: Notice) -> dict[str, Any]:
    facts = notice.facts
    return event_of_run(
        run_id,
        notice.event,
        event_id=notice.id_in(run_id),
        resource=f"hitl.review.{run_id}.{facts.case}",
        title=f"{facts.task}/{facts.case}",
        task=facts.task,
        payload=_payload(facts) | {"run_id": str(run_id), "url": await arun_url(run_id)},
    )


def _payload(facts: Facts) -> dict[str, Any]:
    """The facts as data, without those that this notice has not."""
    payload = facts.model_dump(mode="json")
    absent = [name for name in ("prompt", "draft", "decision", "decided_by") if payload[name] is None]
    return {name: value for name, value in payload.items() if name not in absent}
