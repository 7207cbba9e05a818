"""Automations of Prefect that turn what is told into messages, through the user's notification block."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from hitl_prefect.connecting import open_client
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.notices import EVENTS, Event

__all__ = ["BODY", "TOLD", "Planned", "Told", "asave_automations"]

_SAYS: dict[Event, str] = {
    "opened": "a person is asked",
    "reminded": "still waits for an answer",
    "widened": "more people are asked",
    "escalated": "it was escalated",
    "overdue": "nobody came in time",
    "settled": "decided",
}
BODY = """\
Why: {{ event.payload.reason | replace("_", " ") }}\
{% if event.payload.confidence is number %}, confidence {{ "%.2f" | format(event.payload.confidence) }}{% endif %}
{% if event.payload.people %}Asked: {{ event.payload.people | join(", ") }}
{% endif %}\
{% if event.payload.deadline_at %}Answer before: {{ event.payload.deadline_at }}
{% endif %}\
{% if event.payload.decision %}Decision: {{ event.payload.decision }}, by {{ event.payload.decided_by }}
{% endif %}\
{% if event.payload.prompt %}Prompt:
{{ event.payload.prompt }}
{% endif %}\
{% if event.payload.draft %}Draft:
{{ event.payload.draft }}
{% endif %}\
{{ event.payload.url }}"""
"""What a message about a review says; prompt and draft only where the policy's `message_holds` has put them into the
event."""
_DRIFT = """\
{{ event.payload.alarm }}
Model: {{ event.payload.model }}
Until there is a new bar, a person sees every case.
Outcomes: {{ event.payload.store }}"""
_CHANGED = """\
Version {{ event.payload.number }} is in force for runs that begin from now.
{% for one in event.payload.calibrations %}\
{{ one.model }}: {{ one.status }}\
{% if one.bar is number %}, bar {{ "%.3g" | format(one.bar) }}{% endif %}\
{% if one.needed %}, {{ one.needed }} more labels needed{% endif %}
{% endfor %}\
Outcomes: {{ event.payload.store }}"""
_ENDED = """\
Cases: {{ event.payload.cases }}, decided by the model alone: {{ event.payload.accepted }}
{% for decision, count in event.payload.people.items() %}\
By people, {{ decision }}: {{ count }}
{% endfor %}\
Failed: {{ event.payload.failed }}"""

Told = Event | Literal["policy-changed", "drift-alarm", "batch-ended"]
"""What an automation can send a message about."""


class _Kind(Frozen):
    """One event of ours, and what a message about it says."""

    event: str
    resource: str
    """Which resources it happens to."""
    when: str
    subject: str
    body: str


def _of_review(name: Event) -> _Kind:
    return _Kind(
        event=f"hitl.review.{name}",
        resource="hitl.review.*",
        when=f"a review is {name}",
        subject=f"{{{{ event.payload.task }}}}, case {{{{ event.payload.case }}}}: {_SAYS[name]}",
        body=BODY,
    )


_KINDS: dict[Told, _Kind] = {
    **{name: _of_review(name) for name in EVENTS},
    "policy-changed": _Kind(
        event="hitl.policy.changed",
        resource="hitl.policy.*",
        when="calibrating has put other bars in force",
        subject="{{ event.payload.task }}: other bars are in force",
        body=_CHANGED,
    ),
    "drift-alarm": _Kind(
        event="hitl.drift.alarm",
        resource="hitl.policy.*",
        when="a bar is taken away, since it does not keep its promise",
        subject="{{ event.payload.task }}: the machine has drifted",
        body=_DRIFT,
    ),
    "batch-ended": _Kind(
        event="hitl.batch.ended",
        resource="hitl.batch.*",
        when="the last review of a batch is settled",
        subject="{{ event.payload.task }}, batch {{ event.payload.batch }}: every review is settled",
        body=_ENDED,
    ),
}
TOLD: tuple[Told, ...] = tuple(_KINDS)


class Planned(Frozen):
    """One automation, and what saving it does."""

    name: str
    does: Literal["create", "update", "nothing"]


async def asave_automations(
    block: str, *, on: Sequence[Told], task: str | None = None, dry_run: bool = False
) -> list[Planned]:
    """Have one automation per event that sends a message through a block.

    Safe to run twice: each is known by its name, and one that somebody has switched off stays off.

    Args:
        block: A saved notification block as `TYPE/NAME`, such as `slack-webhook/reviewers`.
        on: What is told.
        task: Only of this task; `None`: of every task.
        dry_run: Only compare what there is with what is wanted.

    Raises:
        ConfigError: If there is no such block, or it sends no notifications.
        ServerUnreachable: If no Prefect server answers.
    """
    async with open_client() as client:
        block_id = await _block_id(client, block)
        wanted = [_automation(event, block, block_id, task) for event in on]
        return [await _save(client, one, dry_run=dry_run) for one in wanted]


async def _block_id(client: PrefectClient, block: str) -> UUID:
    kind, _, name = block.partition("/")
    try:
        found = await client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound as exc:
        raise ConfigError(
            f"no block {block!r}: save one in the UI under Blocks, and name it as TYPE/NAME, such as "
            "slack-webhook/reviewers; `prefect block ls` lists what there is"
        ) from exc
    if found.block_schema is None or "notify" not in found.block_schema.capabilities:
        raise ConfigError(f"block {block!r} sends no notifications: name one of Prefect's notification blocks")
    return found.id


def _automation(told: Told, block: str, block_id: UUID, task: str | None) -> AutomationCore:
    kind, of_task = _KINDS[told], {"hitl.task": task} if task else {}
    return AutomationCore(
        name=f"hitl {told}: {block}" + (f", task {task}" if task else ""),
        description=f"Sends a message through {block} when {kind.when}. Made by `hitl init-automations`.",
        trigger=EventTrigger(
            expect={kind.event},
            match=ResourceSpecification({"prefect.resource.id": kind.resource, **of_task}),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[SendNotification(block_document_id=block_id, subject=kind.subject, body=kind.body)],
    )


async def _save(client: PrefectClient, wanted: AutomationCore, *, dry_run: bool) -> Planned:
    found = next(iter(await client.read_automations_by_name(wanted.name)), None)
    if found is None:
        if not dry_run:
            await client.create_automation(wanted)
        return Planned(name=wanted.name, does="create")
    if _content(found) == _content(wanted):
        return Planned(name=wanted.name, does="nothing")
    if not dry_run:
        await client.update_automation(found.id, wanted.model_copy(update={"enabled": found.enabled}))
    return Planned(name=wanted.name, does="update")


def _content(automation: AutomationCore) -> dict[str, Any]:
    return automation.model_dump(mode="json", include={"description", "trigger", "actions"})
