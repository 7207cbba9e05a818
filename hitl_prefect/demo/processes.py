"""The processes of the demo: a Prefect server of its own and a served flow, both stopped at the end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from hitl_prefect.errors import ServerUnreachable

__all__ = ["PrefectServer", "prefect_server", "served_flow"]

_START_S = 120.0
_STOP_S = 10.0


class PrefectServer:
    """A Prefect server on a free loopback port, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{_free_port()}"
        """The Prefect UI."""

    @property
    def api_url(self) -> str:
        """The Prefect API."""
        return f"{self.url}/api"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to talk to this server and to no other."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return outside | {
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "PREFECT_API_URL": self.api_url,
            "PREFECT_HOME": str(self.home),
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            # Every paused run is read each time: the service has nothing to do here, since our reviews never expire.
            "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
            "PREFECT_UI_API_URL": self.api_url,
            "PREFECT_UI_URL": self.url,
        }


@contextmanager
def prefect_server(home: Path) -> Iterator[PrefectServer]:
    """Start a Prefect server and stop it at the end.

    Raises:
        ServerUnreachable: If it does not answer within two minutes; the message names its log.
    """
    home.mkdir(parents=True, exist_ok=True)
    server = PrefectServer(home)
    host, port = server.url.removeprefix("http://").split(":")
    command = ["prefect", "server", "start", "--host", host, "--port", port]
    with _process(command, server.environment, home / "server.log") as process:
        _wait_until_healthy(server, process)
        yield server


@contextmanager
def served_flow(server: PrefectServer, script: Path, *, limit: int) -> Iterator[None]:
    """Run a flow's own script, which serves it; `limit` runs at a time."""
    environment = server.environment | {"PREFECT_RUNNER_PROCESS_LIMIT": str(limit)}
    with _process([str(script)], environment, server.home / "flow.log", module=False):
        yield


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], log: Path, *, module: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, *(["-m"] if module else []), *command],
            env=environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group: first politely, then for good."""
    for how, patience in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
        try:
            os.killpg(process.pid, how)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _wait_until_healthy(server: PrefectServer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{server.api_url}/health", timeout=2, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise ServerUnreachable(f"the Prefect server did not start; its log is {server.home / 'server.log'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
