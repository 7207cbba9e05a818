"""SDK clients of an event loop and endpoint, closed with their loop.

A client holds connections, and a connection belongs to the event loop that opened it. Prefect runs many loops, one
after the other and side by side, so a client is kept for as long as its loop runs, and never used by another one.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from threading import Lock
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import httpx2

from hitl_prefect.providers._endpoint import Endpoint

__all__ = ["client_of", "sending"]

_CONNECT_S = 10.0
_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)
_SIDE_BY_SIDE = 8
"""Calls under way in one client: for each request a client looks at all of its idle connections, which with 64 of them
took a fifth of a batch's processor time."""


class _Closable(Protocol):
    async def close(self) -> None: ...


Client = TypeVar("Client", bound=_Closable)


class _Kept:
    """A client, and how many calls are under way in it."""

    def __init__(self, client: _Closable) -> None:
        self.client, self.under_way = client, 0
        self.until_the_end: AsyncGenerator[None, None]


_OfLoop = dict[Endpoint, list[_Kept]]

_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop] = WeakKeyDictionary()
_lock = Lock()
"""Loops of several threads come and go in `_kept`."""


@asynccontextmanager
async def client_of(endpoint: Endpoint, build: Callable[[Endpoint], Client]) -> AsyncIterator[Client]:
    """A client of this endpoint in the running loop, for one call; built by `build` where all others have enough."""
    mine = _of(asyncio.get_running_loop())
    kept = next((one for one in mine.get(endpoint, ()) if one.under_way < _SIDE_BY_SIDE), None)
    kept = kept or await _made(mine, endpoint, build(endpoint))
    kept.under_way += 1
    try:
        yield kept.client  # type: ignore[misc]  # an endpoint names its SDK, and so the type of its client
    finally:
        kept.under_way -= 1


async def _made(mine: _OfLoop, endpoint: Endpoint, client: _Closable) -> _Kept:
    kept = _Kept(client)
    mine.setdefault(endpoint, []).append(kept)
    kept.until_the_end = _closing(mine, endpoint, kept)
    await anext(kept.until_the_end)
    return kept


def _of(loop: asyncio.AbstractEventLoop) -> _OfLoop:
    with _lock:
        if loop not in _kept:
            # Closed without shutting down their generators: the connections died with the loop, and hold on to it.
            for other in [one for one in _kept if one.is_closed()]:
                del _kept[other]
        return _kept.setdefault(loop, {})


async def _closing(mine: _OfLoop, endpoint: Endpoint, kept: _Kept) -> AsyncGenerator[None, None]:
    """Close the client when the loop ends: `asyncio.run` and its kind finish all generators of a loop before it."""
    try:
        yield
    finally:
        mine[endpoint].remove(kept)
        if not mine[endpoint]:
            del mine[endpoint]
        await kept.client.close()


def sending(endpoint: Endpoint) -> dict[str, Any]:
    """How a client sends, for the `DefaultAsyncHttpxClient` of its SDK: 1,000 connections, all of them kept alive."""
    timeout = httpx2.Timeout(endpoint.timeout_s, connect=min(_CONNECT_S, endpoint.timeout_s))
    # No redirect: it would lead this machine, with the prompt and perhaps the key, to wherever the answer says.
    return {"verify": _certificates(), "limits": _LIMITS, "timeout": timeout, "follow_redirects": False}


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust: read once per process, since reading the list takes 60 ms and serves any loop."""
    return httpx2.create_ssl_context()
