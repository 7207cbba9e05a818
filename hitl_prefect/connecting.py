"""Prefect's client for commands: what goes wrong on the way to the server is told in words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from hitl_prefect.errors import ServerUnreachable

__all__ = ["open_client"]


@asynccontextmanager
async def open_client() -> AsyncIterator[PrefectClient]:
    """A client of the server that is configured; blocks inside each other share one.

    Raises:
        ServerUnreachable: If there is none, or it does not answer; also later, within the block.
    """
    url = PREFECT_API_URL.value()
    if not url:
        # Prefect would start a throw-away server, where nothing ever waits.
        raise ServerUnreachable("PREFECT_API_URL is not set: name the server, such as http://127.0.0.1:4200/api")
    try:
        async with _shared_client() as client:
            yield client
    except httpx.TransportError as exc:
        raise ServerUnreachable(
            f"no Prefect server answers at {url}: start one (`prefect server start`) or set PREFECT_API_URL"
        ) from exc
    except PrefectHTTPStatusError as exc:
        raise ServerUnreachable(f"the Prefect server at {url} {_trouble(exc.response.status_code)}") from exc


_open: ContextVar[PrefectClient | None] = ContextVar("hitl_client", default=None)


@asynccontextmanager
async def _shared_client() -> AsyncIterator[PrefectClient]:
    """The client of the block around this one, else a new one: it takes 50 ms to make."""
    if (around := _open.get()) is not None:
        yield around
        return
    async with get_client() as client:
        token = _open.set(client)
        try:
            yield client
        finally:
            _open.reset(token)


def _trouble(status: int) -> str:
    if status == 503:
        return "is too busy to answer (SQLite locks its database): try again"
    if status in (401, 403):
        return f"refuses us ({status}): set PREFECT_API_KEY or PREFECT_API_AUTH_STRING"
    return f"answered {status}: look at its log"
