"""The inbox as one page of the Prefect UI: an artifact with one key for ever, written anew in place.

A run refreshes it when its review opens or is settled, the scheduled upkeep every few minutes. With thousands waiting a
refresh reads them all, so that runs then leave a page alone that is less than a minute old. What two refreshes at once
left out, the next one shows.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.exceptions import MissingContextError, PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.inbox import most_urgent
from hitl_prefect.inert import code_span
from hitl_prefect.models import utc
from hitl_prefect.reasons import reason_in_words
from hitl_prefect.run_pages import ours
from hitl_prefect.waiting import Waiting

__all__ = [
    "KEY",
    "arefresh_inbox",
    "pages_postponed",
    "refresh_if_cheap",
    "refresh_inbox",
    "refresh_page",
    "render_page",
]

KEY = "hitl-inbox"
"""The artifact's key: `{UI}/artifacts/key/hitl-inbox`."""

_ROWS = 100
"""Rows that are shown; more would be scrolled by, and a row is about 400 bytes."""
_MANY = 200
"""Waiting runs above which a page that is fresh is left alone; one request reads as many."""
_FRESH = timedelta(minutes=1)
# What to press stands first and no more than this is told: in the UI a wide table ends under the column at its right.
_HEAD = """| | Case | Expected loss | Deadline | Who | Task | Why a person is asked |
| --- | --- | --- | --- | --- | --- | --- |"""


def render_page(waiting: Sequence[Waiting], now: datetime, *, count: int) -> str:
    """The page as markdown, in which nothing but our own words and links is live.

    Args:
        waiting: What waits, the most urgent first; no more than the page has rows.
        now: When that was read.
        count: How many wait in all.
    """
    waits = "Nothing waits" if not count else "1 case waits" if count == 1 else f"{count:,} cases wait"
    shown = f", the {len(waiting)} most urgent are shown; `hitl inbox` lists all" if count > len(waiting) else ""
    top = f"**{waits} for a person**{shown}. As of {utc(now)}."
    return "\n".join([top, "", *([_HEAD] if count else []), *map(_row, waiting)])


def _row(one: Waiting) -> str:
    cells = [
        f"[Open the form]({one.url})",
        code_span(one.case),
        "unknown" if one.expected_loss is None else f"{one.expected_loss:,.2f}",
        "none" if one.deadline_at is None else utc(one.deadline_at),
        " ".join(map(code_span, one.people)) or "anybody",
        code_span(one.task),
        reason_in_words(one.reason),
    ]
    return f"| {' | '.join(cells)} |"


async def arefresh_inbox() -> None:
    """Write the page anew, whatever its age; what goes wrong is logged and fails nothing."""
    run_id = flow_run.id
    async with _never_failing(), get_client() as client:
        await _write(client, await _page_before(client), UUID(run_id) if run_id else None)


def refresh_inbox() -> None:
    """The same as `arefresh_inbox`, for a flow that is not async."""
    run_coro_as_sync(arefresh_inbox())


async def refresh_page(client: PrefectClient, run_id: UUID) -> None:
    """Write the page anew from a run, unless that is dear and was done a moment ago; never fails the run."""
    if postpone := _postponed.get():
        postpone()
    else:
        await refresh_if_cheap(client, run_id)


async def refresh_if_cheap(client: PrefectClient, run_id: UUID | None = None) -> bool:
    """Write the page anew, unless that is dear and was done a moment ago.

    Returns:
        Whether nothing is left to do.
    """
    async with _never_failing():
        before = await _page_before(client)
        if await _is_left_alone(client, before):
            return False
        await _write(client, before, run_id)
    return True


_postponed: ContextVar[Callable[[], None] | None] = ContextVar("hitl_pages_postponed", default=None)


@contextmanager
def pages_postponed(postpone: Callable[[], None]) -> Iterator[None]:
    """Within the block no run writes the page: `postpone` is called instead, and somebody calls `arefresh_inbox`."""
    token = _postponed.set(postpone)
    try:
        yield
    finally:
        _postponed.reset(token)


@asynccontextmanager
async def _never_failing() -> AsyncIterator[None]:
    """A page for people is not worth a case: what the server refuses is logged."""
    try:
        yield
    except (httpx.HTTPError, PrefectHTTPStatusError, KeyError, ValueError) as exc:
        said = "the artifact %r was not refreshed; the next review does it, or chase_reviews: %r"
        _logger().warning(said, KEY, exc)


def _logger() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger(__name__)


_Page = tuple[UUID, datetime]


async def _page_before(client: PrefectClient) -> _Page | None:
    """The artifact that stands, and when it was written."""
    wanted = {"artifacts": {"key": {"any_": [KEY]}}, "limit": 1}
    found = (await client.request("POST", "/artifacts/latest/filter", json=wanted)).json()
    return (UUID(found[0]["latest_id"]), datetime.fromisoformat(found[0]["updated"])) if found else None


async def _is_left_alone(client: PrefectClient, before: _Page | None) -> bool:
    if before is None or datetime.now(UTC) - before[1] >= _FRESH:
        return False
    count = (await client.request("POST", "/flow_runs/count", json={"flow_runs": ours("PAUSED")})).json()
    return bool(count > _MANY)


async def _write(client: PrefectClient, before: _Page | None, run_id: UUID | None) -> None:
    first, count = await most_urgent(client, at_most=_ROWS)
    page, told = render_page(first, datetime.now(UTC), count=count), "What waits for a person"
    if before is not None:
        # In place: a version for each review would grow without end, and the UI lists them all.
        await client.update_artifact(before[0], ArtifactUpdate(data=page, description=told))
        return
    made = ArtifactCreate(key=KEY, type="markdown", data=page, description=told, flow_run_id=run_id)
    await client.create_artifact(made)
