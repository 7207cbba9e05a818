"""Automations of Prefect that turn what is told about reviews into messages, through the user's notification block."""

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
from hitl_prefect.notices import Event

__all__ = ["BODY", "Planned", "asave_automations"]

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
"""What a message says; prompt and draft only where the policy's `message_holds` has put them into the event."""


class Planned(Frozen):
    """One automation, and what saving it does."""

    name: str
    does: Literal["create", "update", "nothing"]


async def asave_automations(
    block: str, *, on: Sequence[Event], task: str | None = None, dry_run: bool = False
) -> list[Planned]:
    """Have one automation per event that sends a message through a block.

    Safe to run twice: each is known by its name, and one that somebody has switched off stays off.

    Args:
        block: A saved notification block as `TYPE/NAME`, such as `slack-webhook/reviewers`.
        on: What is told.
        task: Only reviews of this task; `None`: of every task.
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


def _automation(event: Event, block: str, block_id: UUID, task: str | None) -> AutomationCore:
    of_task = {"hitl.task": task} if task else {}
    return AutomationCore(
        name=f"hitl {event}: {block}" + (f", task {task}" if task else ""),
        description=f"Sends a message through {block} when a review is {event}. Made by `hitl init-automations`.",
        trigger=EventTrigger(
            expect={f"hitl.review.{event}"},
            match=ResourceSpecification({"prefect.resource.id": "hitl.review.*", **of_task}),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[SendNotification(block_document_id=block_id, subject=_subject(event), body=BODY)],
    )


def _subject(event: Event) -> str:
    return f"{{{{ event.payload.task }}}}, case {{{{ event.payload.case }}}}: {_SAYS[event]}"


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
