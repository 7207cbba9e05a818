"""The command line as a person and as a script meet it: at a real pseudo-terminal, and without one."""

import contextlib
import fcntl
import io
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from prefect.settings import PREFECT_API_URL, temporary_settings

from hitl_prefect.cli import main
from tests.servers.machine import wait_until

__all__ = ["Done", "Terminal", "hitl"]

_PATIENCE_S = 60.0


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def hitl(api_url: str, *arguments: str) -> Done:
    """Run one command in this process, without a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with (
        temporary_settings({PREFECT_API_URL: api_url}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(arguments)
        except SystemExit as end:
            return Done(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main() always exits")


def _take_terminal() -> None:
    """In the new process: keys reach it as signals, also where the tests themselves run in the background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """`hitl` in a process of its own, at a pseudo-terminal."""

    def __init__(self, api_url: str, *arguments: str, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = ""
        """All that was shown, echo included."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hitl_prefect", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"PREFECT_API_URL": api_url, "COLUMNS": "200", "TERM": "dumb", **environment},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def see(self, text: str) -> str:
        """Wait until a text is shown after what was seen before; returns all up to it."""
        until = time.monotonic() + _PATIENCE_S
        while text not in self.screen:
            assert time.monotonic() < until, f"{text!r} is not shown:\n{self.screen}"
            assert self._read(), f"the command ended before it showed {text!r}:\n{self.screen}"
        before, _, self.screen = self.screen.partition(text)
        return before

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{line}\n".encode())

    def press(self, key: bytes) -> None:
        r"""Press a key, such as `b"\x03"` for Ctrl-C, once the command waits for one.

        A prompt is shown a moment before its line is read: Python loses a Ctrl-C that comes in between, until the next
        key. People are not that quick.
        """
        wait_until(self._is_asleep, "the command waits for a key")
        os.write(self._ours, key)

    def _is_asleep(self) -> bool:
        return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"

    def end(self) -> int:
        """Wait for the end; `screen` then holds what was not seen yet."""
        until = time.monotonic() + _PATIENCE_S
        while self._read():
            assert time.monotonic() < until, f"the command does not end:\n{self.screen}"
        return self._process.wait(_PATIENCE_S)

    def _read(self) -> bool:
        """Whether there is more to come."""
        if not select.select([self._ours], [], [], 1)[0]:
            return True
        try:
            said = os.read(self._ours, 65536)
        except OSError:  # the other side is closed
            return False
        self.screen += said.decode(errors="replace").replace("\r\n", "\n")
        return bool(said)
