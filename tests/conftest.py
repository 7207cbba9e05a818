"""For every test: no connection leaves the machine, skips can be made failures, servers start once per session."""

import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.servers.machine import require

pytest_plugins = ["tests.servers.prefect", "tests.prefect.installation"]

__all__ = ["require"]

_LOOPBACK = ("127.", "::1", "localhost")


def _only_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: it sees every connection that Python makes, and cannot be patched away."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        if not host.startswith(_LOOPBACK):
            raise RuntimeError(f"tests talk to loopback only, not to {host!r}")


def pytest_configure() -> None:
    sys.addaudithook(_only_loopback)
    # A busy machine is no wrong answer: 200 ms for an example is what Hypothesis would allow.
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")
    # What is found out about a model in one test run is not known to the next.
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="hitl-test-cache-")
    # Without keys, the AWS SDK would ask the metadata server of a cloud machine for some.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # The stores of tests are on loopback, and named by URLs.
    os.environ["HITL_ALLOWED_HOSTS"] = "public,127.0.0.1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `full` runs with `HITL_FULL=1` (`make test-all`), or where it is named on the command line."""
    if os.environ.get("HITL_FULL") == "1" or any("::" in argument for argument in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `HITL_REQUIRE_ALL=1`, as in CI, what the machine lacks is a failure and not a skip.

    The recorded data are no part of the project, so that a test of them may be skipped even there.
    """
    report = yield
    if item.get_closest_marker("recorded_data"):
        return report
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("HITL_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped in spite of HITL_REQUIRE_ALL=1: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def moto() -> Iterator[Any]:
    """An imitation of AWS."""
    from tests.servers.small import moto_server

    with moto_server() as server:
        yield server


def _server_fixture(name: str, tls: bool) -> Any:
    @pytest.fixture(scope="session", name=f"{name}_tls" if tls else name)
    def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        from tests.servers.ceph import ceph_rgw
        from tests.servers.small import rclone_s3

        folder: Path = tmp_path_factory.mktemp(name)
        with {"ceph": ceph_rgw, "rclone": rclone_s3}[name](folder, tls=tls) as server:
            yield server

    return started


ceph, ceph_tls = _server_fixture("ceph", tls=False), _server_fixture("ceph", tls=True)
rclone, rclone_tls = _server_fixture("rclone", tls=False), _server_fixture("rclone", tls=True)
