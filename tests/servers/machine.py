"""What this machine has, and processes that never outlive the test that started them."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

__all__ = ["family", "free_port", "processes", "program", "require", "running", "wait_until"]


def require(found: object, what: str, install: str) -> None:
    """Skip the test where the machine lacks something; `HITL_REQUIRE_ALL=1` makes that a failure (conftest.py)."""
    if not found:
        pytest.skip(f"{what} is missing: {install}")


def program(name: str) -> str | None:
    """The path of a program, looked for beside this Python first."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(ready: Callable[[], bool], what: str, *, timeout_s: float = 60) -> None:
    """Ask every 50 ms; fail the test with `what` when the time is up."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.05)


def processes() -> Iterator[tuple[int, list[str]]]:
    """Every process, with the fields of `/proc/PID/stat` behind its name."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield int(stat.parent.name), stat.read_text().rpartition(")")[2].split()


def family(leader: int) -> list[int]:
    """A process and all that it has started and that still run, whatever groups they have made for themselves."""
    parents = {pid: int(fields[1]) for pid, fields in processes()}
    found = [leader]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


@contextlib.contextmanager
def running(
    argv: Sequence[str], log: Path, *, patience_s: float = 5, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process: asked to stop at the end, killed when it does not, and gone when this process is killed."""
    setpriv = shutil.which("setpriv")
    tied = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*tied, *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
