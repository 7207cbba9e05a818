"""PostgreSQL and Redis as Debian ships them, each in a folder of its own and on a free loopback port."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.programs import Program
from tests.servers.machine import free_port

__all__ = ["INSTALL", "POOLED", "postgresql", "redis"]

INSTALL = "apt-get install -y --no-install-recommends postgresql redis-server"

POOLED = {"PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "20"}
"""What docs/scaling.md tells to set for a Prefect server on PostgreSQL."""
_PATIENCE_S = 60.0
_CONNECTIONS = 300
"""More than two API servers and the services take: the limit is not what is measured."""


@contextmanager
def postgresql() -> Iterator[str]:
    """A new, empty cluster; yields the URL that Prefect wants.

    Raises:
        SystemExit: If PostgreSQL is not installed, or did not start.
    """
    initdb = _program("initdb", *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    # It refuses to run as root; the folder's parents must be open to whom it runs as, so it has a folder of its own.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="hitl-postgresql-") as name:
        folder, port = Path(name), free_port()
        if user:
            shutil.chown(folder, user)
        _run([initdb, "-D", str(folder / "data"), "-U", "hitl", "-A", "trust", "-E", "UTF8"], folder, user)
        options = f"-p {port} -h 127.0.0.1 -k {folder} -c max_connections={_CONNECTIONS}".split()
        command = [str(Path(initdb).parent / "postgres"), "-D", str(folder / "data"), *options]
        with Program(command, os.environ, folder / "postgresql.log", user=user) as server:
            _wait(server, [str(Path(initdb).parent / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)])
            yield f"postgresql+asyncpg://hitl@127.0.0.1:{port}/postgres"


@contextmanager
def redis() -> Iterator[int]:
    """A Redis that keeps nothing on disk; yields its port.

    Raises:
        SystemExit: If Redis is not installed, or did not start.
    """
    server, client = _program("redis-server"), _program("redis-cli")
    with tempfile.TemporaryDirectory(prefix="hitl-redis-") as folder:
        port = str(free_port())
        command = [server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with Program(command, os.environ, Path(folder) / "redis.log") as running:
            _wait(running, [client, "-e", "-p", port, "ping"])
            yield int(port)


def _program(name: str, *folders: Path) -> str:
    found = shutil.which(name, path=os.pathsep.join(map(str, folders))) if folders else shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is missing: {INSTALL}")
    return found


def _run(command: list[str], folder: Path, user: str | None) -> None:
    done = subprocess.run(command, cwd=folder, user=user, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _wait(server: Program, asking: list[str]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while subprocess.run(asking, capture_output=True, check=False).returncode:
        server.must_run()
        if time.monotonic() > until:
            raise SystemExit(f"{' '.join(asking)} gave no good answer within {_PATIENCE_S:.0f} s")
        time.sleep(0.1)
