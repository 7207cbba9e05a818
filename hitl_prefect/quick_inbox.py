"""The inbox without Prefect's client: to import that takes as long as the server needs for thousands of runs."""

import asyncio
import gzip
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from hitl_prefect.plain_connection import PlainConnection, plain_connection
from hitl_prefect.run_pages import RUNS
from hitl_prefect.ui import runs_page_of
from hitl_prefect.waiting import Waiting, read_inbox

__all__ = ["aquick_inbox"]

_PATIENCE_S = 60.0
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
        except (OSError, HTTPException, ValueError, TypeError, KeyError):
            pass
    from hitl_prefect.inbox import ainbox

    return await ainbox()


async def _read(plain: PlainConnection) -> list[Waiting]:
    """Asked in a thread of its own, which gets the next page while this one is read."""
    loop = asyncio.get_running_loop()
    with _Server(plain).connected() as server, ThreadPoolExecutor(1) as thread:
        pages = await asyncio.to_thread(runs_page_of, plain.api, plain.ui)
        return await read_inbox(lambda body: loop.run_in_executor(thread, server.ask, body), pages)


class _Server:
    """One connection to Prefect's server, with the standard library: httpx takes 75 ms to import."""

    def __init__(self, plain: PlainConnection) -> None:
        address = urlsplit(plain.api)
        host = address.hostname or ""
        if address.scheme in getproxies() and not proxy_bypass(host):
            raise ValueError("a proxy stands in between")
        make = {"http": HTTPConnection, "https": HTTPSConnection}[address.scheme]
        self._connection = make(host, address.port, timeout=_PATIENCE_S)
        self._path = f"{address.path}{RUNS}"
        # On one machine, packing a page takes longer than sending it.
        packing = "identity" if host in _NEAR else "gzip"
        self._headers = plain.headers | {"Content-Type": "application/json", "Accept-Encoding": packing}

    @contextmanager
    def connected(self) -> Iterator["_Server"]:
        """Closes the connection at the end of the block."""
        try:
            yield self
        finally:
            self._connection.close()

    def ask(self, body: dict[str, Any]) -> bytes:
        """Post it; returns the body of the answer.

        Raises:
            ValueError: If the server answered anything but 200.
        """
        self._connection.request("POST", self._path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        said: bytes = answer.read()
        if answer.status != 200:
            raise ValueError(f"the server answered {answer.status}")
        return gzip.decompress(said) if answer.getheader("Content-Encoding") == "gzip" else said
