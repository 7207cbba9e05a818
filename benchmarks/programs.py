"""A program that a benchmark runs beside itself: started, killed and started again, with what it costs the machine."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.servers.machine import family, processes

__all__ = ["Program", "cpu_s", "end_politely", "memory_mb"]

_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_S = 15.0
_SHOWN = 3000
"""Characters of a log."""


class Program:
    """A command in a process group of its own; used in a `with` block, nothing of it is left afterwards.

    Args:
        command: What to run; a first word that ends in `.py` or is `-m` runs under this Python.
        env: Its whole environment.
        log: Where it writes; appended to.
        user: Whom it runs as, where this process is root and the program refuses that.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path, *, user: str | None = None) -> None:
        ours = command[0] == "-m" or command[0].endswith(".py")
        self._command = [sys.executable, *command] if ours else list(command)
        self._env, self._log, self._user = dict(env), log, user
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the process that leads the group; it must run."""
        assert self._process is not None, self._command
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and do not wait for it to be ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self._log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
            )

    def stop(self) -> None:
        """Ask it to end, and kill what does not; safe to call twice."""
        self._end(signal.SIGTERM)
        self.kill()

    def kill(self) -> None:
        """Kill -9 of it and of all that it has started."""
        if self._process is not None:
            for pid in family(self._process.pid)[1:]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._end(signal.SIGKILL)
        self._process = None

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)

    def must_run(self) -> None:
        """End the benchmark with the end of the log where the program has ended by itself."""
        if not self.runs:
            raise SystemExit(f"{' '.join(self._command)} has ended:\n{self._log.read_text('utf-8')[-_SHOWN:]}")


def end_politely() -> None:
    """Have SIGTERM stop what was started too, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def cpu_s(leader: int) -> float:
    """Processor seconds, user and system, of a process and of all of its family that run now."""
    wanted = set(family(leader))
    return sum(int(fields[11]) + int(fields[12]) for pid, fields in processes() if pid in wanted) / _TICKS


def memory_mb(leader: int) -> float:
    """Resident memory of a process and of all of its family."""
    pages = 0
    for pid in family(leader):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
