"""One Prefect server for all tests of this folder; a worker of its own for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.prefect.site import Site, site
from tests.servers.prefect import PrefectServer

pytest_plugins: list[str] = []


@pytest.fixture
def new_site(prefect_server: PrefectServer, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a site whose flow runs see the given environment variables."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(site(prefect_server, tmp_path, **environment))
