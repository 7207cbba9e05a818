"""Events of ours in Prefect: one shape for all, and few requests for many."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from prefect.client.orchestration import PrefectClient

from hitl_prefect.together import Together

__all__ = ["event_of_run", "post_events"]


def event_of_run(
    run_id: UUID | None, name: str, *, event_id: UUID, resource: str, title: str, task: str, payload: dict[str, Any]
) -> dict[str, Any]:
    """An event about a flow run, as the server takes it.

    Args:
        run_id: The flow run that it is about, or that told it; `None`: none is.
        name: Such as `hitl.review.opened`.
        event_id: The same whoever sends it: Prefect keeps one event per id.
        resource: The id of what it happened to.
        title: How that is called.
        task: What kind of case it was.
        payload: The facts, as JSON data.
    """
    return {
        "id": str(event_id),
        "event": name,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": resource, "prefect.resource.name": title, "hitl.task": task},
        "related": [_run(run_id)] if run_id else [],
        "payload": payload,
    }


def _run(run_id: UUID) -> dict[str, str]:
    return {"prefect.resource.id": f"prefect.flow-run.{run_id}", "prefect.resource.role": "flow-run"}


_Events = tuple[PrefectClient, Sequence[dict[str, Any]]]
_posts: "WeakKeyDictionary[PrefectClient, Together[_Events, None]]" = WeakKeyDictionary()
"""By client, and so by event loop."""


async def post_events(client: PrefectClient, events: Sequence[dict[str, Any]]) -> None:
    """Send events over REST, and wait until the server has them.

    Reviews that go on beside each other share a request: of all that one asks for, its events cost the most.

    Raises:
        PrefectHTTPStatusError, httpx.TransportError: If the server refused them, or is away.
    """
    await _posts.setdefault(client, Together(_post)).give((client, events))


async def _post(given: Sequence[_Events]) -> None:
    client = given[0][0]
    events = [event for _, few in given for event in few]
    (await client.request("POST", "/events", json=events)).raise_for_status()
