"""The processes of the demo: a Prefect server of its own and a served flow, both stopped at the end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from hitl_prefect.errors import ServerUnreachable

__all__ = ["PrefectServer", "prefect_server", "served_flow"]

_START_S = 120.0
_STOP_S = 10.0


class PrefectServer:
    """A Prefect server on a free loopback port, with a home of its own; `prefect_server()` has it stopped.

    Args:
        home: Its `PREFECT_HOME`: database, log, results.
        settings: Further environment variables, for the server and for whoever talks to it.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.ui_url = f"http://127.0.0.1:{_free_port()}"
        self.api_url = f"{self.ui_url}/api"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.home / "server.log"

    @property
    def pid(self) -> int | None:
        """Its process, which leads a group of its own; `None` where it does not run."""
        return self._process.pid if self._process else None

    @property
    def env(self) -> dict[str, str]:
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
            # The service reads every paused run every 5 s, and our reviews never expire.
            "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
            "PREFECT_UI_API_URL": self.api_url,
            "PREFECT_UI_URL": self.ui_url,
            **self._settings,
        }

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises:
            ServerUnreachable: If it ended, or did not answer within two minutes; the message holds the end of its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        address = ["--host", "127.0.0.1", "--port", self.ui_url.rpartition(":")[2]]
        self._process = _started(["-m", "hitl_prefect.demo.server", "start", *address], self.env, self.log)
        until = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise ServerUnreachable(f"the Prefect server did not start:\n{self.log.read_text('utf-8')[-4000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End the server and all that it started; safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            _stop(process)

    def restart(self) -> None:
        """Stop, then start on the same port and home: what is stored stays."""
        self.stop()
        self.start()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.api_url}/health", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False


@contextmanager
def prefect_server(home: Path, **settings: str) -> Iterator[PrefectServer]:
    """A running Prefect server, stopped at the end whatever happened."""
    server = PrefectServer(home, **settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def served_flow(server: PrefectServer, script: Path) -> Iterator[None]:
    """Run a flow's own script, which serves it."""
    process = _started([str(script)], server.env, server.home / "flow.log")
    try:
        yield
    finally:
        _stop(process)


def _started(arguments: Sequence[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the arguments are ours
            [sys.executable, *arguments],
            env=environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group: first politely, then for good."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(_STOP_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
