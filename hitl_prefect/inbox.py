"""What waits for a person, through Prefect's own client."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType

from hitl_prefect.connecting import open_client
from hitl_prefect.run_pages import RUNS, Run, ours, run_pages
from hitl_prefect.ui import runs_page
from hitl_prefect.waiting import Waiting, read_inbox, read_most_urgent

__all__ = ["ainbox", "most_urgent", "pages_where", "read_waiting", "runs_where"]


async def ainbox() -> list[Waiting]:
    """Everything that waits for a person, in the order of `Waiting.urgency`.

    Raises:
        ServerUnreachable: If no Prefect server answers.
    """
    async with open_client() as client:
        return await read_waiting(client)


async def read_waiting(client: PrefectClient) -> list[Waiting]:
    """The same as `ainbox`, through a client that is open."""
    # Asked once for all: a server that does not say where its pages are would be asked for every run.
    pages = await asyncio.to_thread(runs_page)
    return await read_inbox(partial(_ask, client), pages)


async def most_urgent(client: PrefectClient, *, at_most: int) -> tuple[list[Waiting], int]:
    """The first of `read_waiting`, and how many wait in all; of thousands it holds a page at a time."""
    pages = await asyncio.to_thread(runs_page)
    return await read_most_urgent(partial(_ask, client), pages, at_most=at_most)


async def runs_where(client: PrefectClient, kind: StateType) -> AsyncIterator[FlowRun]:
    """Our flow runs whose state is of one type, each once."""
    async for page in pages_where(client, ours(kind.value)):
        for run in page:
            yield FlowRun.model_validate(run)


def pages_where(client: PrefectClient, wanted: dict[str, Any]) -> AsyncGenerator[list[Run], None]:
    """The flow runs that pass a filter of Prefect's, page by page, as `run_pages` gives them."""
    return run_pages(partial(_ask, client), wanted)


async def _ask(client: PrefectClient, body: dict[str, Any]) -> bytes:
    return (await client.request("POST", RUNS, json=body)).content
