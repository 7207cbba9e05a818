"""One real Prefect server for all tests: the one that the demo starts."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client

from hitl_prefect.demo.processes import PrefectServer, prefect_server

__all__ = ["PrefectServer", "patch", "post", "prefect_server_fixture", "take_away_automations"]

_PATIENCE_S = 30.0


def post(api: httpx.Client, path: str, body: Any, **options: Any) -> httpx.Response:
    """Post as Prefect's own client does it: SQLite that is locked for a moment answers 503. Bytes are sent as JSON."""
    return _sent(api, "POST", path, body, **options)


def patch(api: httpx.Client, path: str, body: Any) -> httpx.Response:
    """Change something in the same way."""
    return _sent(api, "PATCH", path, body)


def _sent(api: httpx.Client, method: str, path: str, body: Any, **options: Any) -> httpx.Response:
    sent = {"content": body, "headers": {"Content-Type": "application/json"}} if type(body) is bytes else {"json": body}
    until = time.monotonic() + _PATIENCE_S
    while (response := api.request(method, path, **sent, **options)).status_code == 503 and time.monotonic() < until:
        time.sleep(0.25)
    return response


async def take_away_automations() -> None:
    """Delete every automation of the server that is connected to."""
    async with get_client() as client:
        for automation in await client.read_automations():
            await client.delete_automation(automation.id)


@pytest.fixture(scope="session", name="prefect_server")
def prefect_server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server that both UIs, all sites and all command lines of the tests share."""
    home = tmp_path_factory.mktemp("prefect-home")
    with prefect_server(home, PREFECT_CLI_COLORS="false", PREFECT_SERVER_LOGGING_LEVEL="WARNING") as server:
        yield server
