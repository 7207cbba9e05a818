"""One SDK client per event loop and endpoint, closed with its loop.

A client holds connections, and a connection belongs to the event loop that opened it. Prefect runs many loops, one
after the other and side by side, so a client is kept for as long as its loop runs, and never used by another one.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from functools import cache
from threading import Lock
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import httpx2

from hitl_prefect.providers._endpoint import Endpoint

__all__ = ["client_of", "sending"]

_CONNECT_S = 10.0
_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)


class _Closable(Protocol):
    async def close(self) -> None: ...


Client = TypeVar("Client", bound=_Closable)
_Kept = AsyncGenerator[_Closable, None]

_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, tuple[_Closable, _Kept]]] = WeakKeyDictionary()
_lock = Lock()
"""Loops of several threads come and go in `_kept`."""


async def client_of(endpoint: Endpoint, build: Callable[[Endpoint], Client]) -> Client:
    """The client of this endpoint in the running loop; built by `build` where there is none yet."""
    mine = _of(asyncio.get_running_loop())
    if endpoint not in mine:
        client = build(endpoint)
        until_the_end = _closing(mine, endpoint, client)
        mine[endpoint] = client, until_the_end
        await anext(until_the_end)
    kept, _ = mine[endpoint]
    return kept  # type: ignore[return-value]  # an endpoint names its SDK, and so the type of its client


def _of(loop: asyncio.AbstractEventLoop) -> dict[Endpoint, tuple[_Closable, _Kept]]:
    with _lock:
        # A loop that was closed without shutting down its generators: its connections died with it, and hold on to it.
        for other in [one for one in _kept if one.is_closed()]:
            del _kept[other]
        return _kept.setdefault(loop, {})


async def _closing(mine: dict[Endpoint, tuple[_Closable, _Kept]], endpoint: Endpoint, client: _Closable) -> _Kept:
    """Close the client when the loop ends: `asyncio.run` and its kind finish all generators of a loop before it."""
    try:
        yield client
    finally:
        del mine[endpoint]
        await client.close()


def sending(endpoint: Endpoint) -> dict[str, Any]:
    """How a client sends, for the `DefaultAsyncHttpxClient` of its SDK: 1,000 connections, all of them kept alive."""
    timeout = httpx2.Timeout(endpoint.timeout_s, connect=min(_CONNECT_S, endpoint.timeout_s))
    return {"verify": _certificates(), "limits": _LIMITS, "timeout": timeout}


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust: read once per process, since reading the list takes 60 ms and serves any loop."""
    return httpx2.create_ssl_context()
