"""`hitl worker` as a user starts it, in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from tests.servers.machine import wait_until

__all__ = ["HitlWorkerProcess"]

_STARTS_S = 60.0
_ENDS_S = 40.0


class HitlWorkerProcess:
    """Stopped at the end of the block, whatever happened."""

    def __init__(self, environment: dict[str, str], folder: Path, *arguments: str) -> None:
        self._environment, self._arguments = environment, arguments
        self.log = folder / f"hitl-worker-{uuid4().hex[:6]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "HitlWorkerProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def start(self) -> None:
        """Returns once it serves."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hitl_prefect", "worker", *self._arguments],
                env=self._environment | {"PYTHONPATH": str(Path.cwd())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        before = self.said.count("started!")
        wait_until(
            lambda: self._runs() and self.said.count("started!") > before, "the worker serves", timeout_s=_STARTS_S
        )

    def _runs(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.said
        return True

    def end(self, how: signal.Signals) -> int | None:
        """Stop it that way; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(how)
        return process.wait(_ENDS_S)

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text("utf-8")
