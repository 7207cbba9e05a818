"""Prefect as it grows beyond one machine: PostgreSQL, Redis, two API servers, and the services by themselves.

All on loopback, each a process of its own, with the settings that docs/scaling.md names.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks.databases import POOLED, postgresql, redis
from benchmarks.fast_model import fast_model
from benchmarks.goals import say
from benchmarks.ground import Ground, model_settings
from benchmarks.programs import Program
from tests.servers.machine import free_port

__all__ = ["outgrown"]

_API_SERVERS = 2
_PATIENCE_S = 180.0


def _settings(database: str, redis_port: int, home: Path) -> dict[str, str]:
    """What all servers and services share."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return outside | {
        **POOLED,
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(home),
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{redis_port}/1",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
        "PREFECT_REDIS_MESSAGING_PORT": str(redis_port),
        "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "60",
    }


@contextmanager
def outgrown() -> Iterator[list[Ground]]:
    """Start all of it; one `Ground` for each API server.

    Raises:
        SystemExit: If something is not installed, or did not start.
    """
    if importlib.util.find_spec("prefect_redis") is None:
        raise SystemExit("prefect-redis is missing: pip install 'hitl_prefect[scale]'")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hitl-outgrown-")))
        database, port = stack.enter_context(postgresql()), stack.enter_context(redis())
        model = stack.enter_context(fast_model())
        env = _settings(database, port, folder / "prefect") | model_settings(model)
        say("PostgreSQL and Redis run; the tables are made ...")
        command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        grounds = [_api_server(stack, env, folder, number) for number in range(_API_SERVERS)]
        services = Program(["-m", "prefect", "server", "services", "start"], env, folder / "services.log")
        stack.enter_context(services)
        services.must_run()
        say(f"{_API_SERVERS} API servers and the services run.")
        yield grounds


def _api_server(stack: ExitStack, env: dict[str, str], folder: Path, number: int) -> Ground:
    """One of several, once it answers; each has a log of its own.

    Two that start together on a new database save the same block types, and the second ends (Prefect 3.8.8).
    """
    port = free_port()
    ui_url = f"http://127.0.0.1:{port}"
    own = {"PREFECT_API_URL": f"{ui_url}/api", "PREFECT_UI_API_URL": f"{ui_url}/api", "PREFECT_UI_URL": ui_url}
    command = f"-m prefect server start --no-services --host 127.0.0.1 --port {port}".split()
    server = stack.enter_context(Program(command, env | own, folder / f"api-{number}.log"))
    ground = Ground(f"{ui_url}/api", env | own, folder)
    until = time.monotonic() + _PATIENCE_S
    while not _is_healthy(ground):
        server.must_run()
        if time.monotonic() > until:
            raise SystemExit(f"API server {number} did not answer within {_PATIENCE_S:.0f} s")
        time.sleep(0.3)
    return ground


def _is_healthy(one: Ground) -> bool:
    try:
        return one.api.get("/ready").is_success
    except httpx.TransportError:
        return False
