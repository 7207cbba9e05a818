"""The inbox without Prefect's client: to import that takes as long as the server needs for thousands of runs."""

import asyncio
import sys
from typing import Any

import httpx

from hitl_prefect.plain_connection import PlainConnection, plain_connection
from hitl_prefect.run_pages import RUNS
from hitl_prefect.ui import runs_page_of
from hitl_prefect.waiting import Waiting, read_inbox

__all__ = ["aquick_inbox"]

_PATIENCE = httpx.Timeout(60, connect=5)
_NEAR = {"127.0.0.1", "::1", "localhost"}


async def aquick_inbox() -> list[Waiting]:
    """The same as `inbox.ainbox`, which is what is done where the quick way is closed.

    Raises:
        ServerUnreachable: If no Prefect server answers.
    """
    # Where Prefect is there already, its client costs no more; and its settings may have been changed in this process.
    if "prefect" not in sys.modules and (plain := plain_connection()) is not None:
        try:
            return await _read(plain)
        # CSRF tokens, a server that is too busy, redirects: Prefect's client gets over it, or says what is wrong.
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, KeyError):
            pass
    from hitl_prefect.inbox import ainbox

    return await ainbox()


async def _read(plain: PlainConnection) -> list[Waiting]:
    pages = await asyncio.to_thread(runs_page_of, plain.api, plain.ui)
    async with _client(plain) as http:

        async def ask(body: dict[str, Any]) -> bytes:
            return (await http.post(RUNS, json=body)).raise_for_status().content

        return await read_inbox(ask, pages)


def _client(plain: PlainConnection) -> httpx.AsyncClient:
    address = httpx.URL(plain.api)
    # On one machine, packing a page takes longer than sending it.
    packed = {"Accept-Encoding": "identity"} if address.host in _NEAR else {}
    # Certificates take 30 ms to load, also where none is going to be looked at.
    secure = address.scheme == "https"
    return httpx.AsyncClient(base_url=address, headers=plain.headers | packed, timeout=_PATIENCE, verify=secure)
