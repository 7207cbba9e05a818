"""Our flow runs as Prefect's server lists them, page by page, whoever asks it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from pydantic_core import from_json

__all__ = ["RUNS", "TAG", "Ask", "Run", "ours", "run_pages"]

TAG = "hitl"
"""On every flow run that has asked a person."""
RUNS: Final = "/flow_runs/filter"
"""Where the server is asked."""

_PAGE = 200
"""As many as Prefect gives at once unless told otherwise."""

Ask = Callable[[dict[str, Any]], Awaitable[bytes]]
"""Posts this to `RUNS`; returns the body of the answer."""
Run = dict[str, Any]
"""A flow run as the server sends it. Not as Prefect's model: thousands cost more to validate than to read."""


def ours(kind: str) -> dict[str, Any]:
    """Prefect's filter for our flow runs whose state is of one type, such as `PAUSED`."""
    return {"tags": {"all_": [TAG]}, "state": {"type": {"any_": [kind]}}}


async def run_pages(ask: Ask, wanted: dict[str, Any]) -> AsyncGenerator[list[Run], None]:
    """The flow runs that pass a filter, such as `ours`, each once; none that passes it all the while is missed.

    The latest start first, and each page from where the one before ended: by an offset, a run that leaves between two
    pages would hide another. Prefect keeps an index of the starts and none of the ids: sorted by id, every page costs
    the server a sort of all.
    """
    body: dict[str, Any] = {"flow_runs": wanted, "sort": "START_TIME_DESC", "limit": _PAGE, "offset": 0}
    seen: set[str] = set()
    coming: asyncio.Future[bytes] | None = asyncio.ensure_future(ask(body))
    try:
        while coming:
            page = from_json(await coming)
            following = _after(page, body)
            # Asked for before this page is looked at: the server takes longer to make one than anybody to read it.
            coming = asyncio.ensure_future(ask(following)) if following else None
            body = following or body
            yield [run for run in page if run["id"] not in seen]
            seen |= {run["id"] for run in page}
    finally:
        if coming:
            coming.cancel()


def _after(page: list[Run], body: dict[str, Any]) -> dict[str, Any] | None:
    """What asks for the page after this one; `None` after the last."""
    if len(page) < _PAGE:
        return None
    end = page[-1]["start_time"] or page[-1]["expected_start_time"]
    # The next page begins with that very moment, since others may have started in it; a moment of a page goes on.
    wanted = body["flow_runs"] | {"start_time": {"before_": end}}
    return body | {"flow_runs": wanted, "offset": body["offset"] + _PAGE if wanted == body["flow_runs"] else 0}
