"""One real Prefect server for all tests: the one that the demo starts."""

from collections.abc import Iterator

import pytest

from hitl_prefect.demo.processes import PrefectServer, prefect_server

__all__ = ["PrefectServer", "prefect_server_fixture"]


@pytest.fixture(scope="session", name="prefect_server")
def prefect_server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server that both UIs, all sites and all command lines of the tests share."""
    home = tmp_path_factory.mktemp("prefect-home")
    with prefect_server(home, PREFECT_CLI_COLORS="false", PREFECT_SERVER_LOGGING_LEVEL="WARNING") as server:
        yield server
