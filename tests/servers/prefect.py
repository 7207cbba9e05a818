"""A real Prefect server for tests: one process group, its own home, a free loopback port."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import httpx
import pytest

__all__ = ["PrefectServer", "prefect_server", "prefect_server_fixture"]

_START_S = 120
_STOP_S = 15


class PrefectServer:
    """A `prefect server start` of our own; use `prefect_server()` to have it stopped."""

    def __init__(self, home: Path, ui_version: Literal["v1", "v2"]) -> None:
        self.home = home
        self.port = _free_port()
        self.ui_url = f"http://127.0.0.1:{self.port}"
        self.api_url = f"{self.ui_url}/api"
        self._ui_version = ui_version
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        """The environment for a child process that talks to this server."""
        outer = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        return outer | {
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "PREFECT_API_URL": self.api_url,
            "PREFECT_CLI_COLORS": "false",
            "PREFECT_HOME": str(self.home),
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_RUNNER_POLL_FREQUENCY": "2",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "PREFECT_SERVER_UI_V2_ENABLED": "true" if self._ui_version == "v2" else "false",
            "PREFECT_UI_API_URL": self.api_url,
            "PREFECT_UI_URL": self.ui_url,
        }

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.home / "server.log"

    def start(self) -> None:
        """Start the process and wait until `/api/health` answers.

        Raises:
            RuntimeError: If it ended or did not answer in time; the message holds the end of its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self.env, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_healthy(self._process)

    def stop(self) -> None:
        """End the whole process group, by its id; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait(_STOP_S)

    def restart(self) -> None:
        """Stop, then start on the same port and home: what is stored stays."""
        self.stop()
        self.start()

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"the Prefect server ended with {process.returncode}:\n{self._log_end()}")
            if _answers(f"{self.api_url}/health"):
                return
            time.sleep(0.2)
        raise RuntimeError(f"the Prefect server did not answer within {_START_S} s:\n{self._log_end()}")

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@contextmanager
def prefect_server(home: Path, ui_version: Literal["v1", "v2"] = "v2") -> Iterator[PrefectServer]:
    """A running Prefect server with its own home, stopped at the end whatever happened.

    Args:
        home: Its `PREFECT_HOME`: database, log, results.
        ui_version: Where the neutral `/` leads; both UIs are served under their own paths with `v2`.
    """
    server = PrefectServer(home, ui_version)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session", name="prefect_server")
def prefect_server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One Prefect server for the whole session; `pytest_plugins = ["tests.servers.prefect"]` offers it."""
    with prefect_server(tmp_path_factory.mktemp("prefect-home")) as server:
        yield server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
