"""What plain Prefect and the plugin are measured on alike: one Prefect server, one model on loopback, one folder."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.fast_model import LATENCY_S, fast_model
from hitl_prefect.demo.processes import PrefectServer, prefect_server

__all__ = ["Ground", "ground", "model_settings"]

_PAGE = 200
"""As many runs as Prefect gives at once."""
_DEFAULTS = {"PREFECT_RUNNER_POLL_FREQUENCY": "10"}
"""The demo's server makes served flows look each second; here they look as often as Prefect has them look."""

Run = dict[str, Any]
"""A flow run as the server sends it."""


class Ground:
    """A server to ask, and what a process needs to use it.

    Args:
        api_url: Prefect's API.
        env: The environment of whatever runs on it.
        folder: Where files go.
        server: Its process, where there is one.
    """

    def __init__(
        self, api_url: str, env: Mapping[str, str], folder: Path, *, server: PrefectServer | None = None
    ) -> None:
        self.api = httpx.Client(base_url=api_url, timeout=120, trust_env=False)
        self.env, self.folder, self._server = dict(env), folder, server

    @property
    def server_pid(self) -> int:
        """The process that leads the server's."""
        assert self._server is not None
        assert self._server.pid is not None
        return self._server.pid

    def post(self, path: str, body: object) -> Any:
        """Ask until SQLite is not locked, as Prefect's own client does."""
        while (response := self.api.post(path, json=body)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
            time.sleep(0.1)
        return response.raise_for_status().json()

    def count(self, flow: str, kind: str) -> int:
        """How many runs of a flow are in a state of this type."""
        return int(self.post("/flow_runs/count", _wanted(flow, kind)))

    def runs(self, flow: str, kind: str) -> list[Run]:
        """The runs of a flow that are in a state of this type; nothing may change meanwhile."""
        found: list[Run] = []
        while len(found) % _PAGE == 0:
            page = {"sort": "ID_DESC", "limit": _PAGE, "offset": len(found)}
            runs = self.post("/flow_runs/filter", {**_wanted(flow, kind), **page})
            if not runs:
                break
            found += runs
        return found


def _wanted(flow: str, kind: str) -> dict[str, Any]:
    return {"flows": {"name": {"any_": [flow]}}, "flow_runs": {"state": {"type": {"any_": [kind]}}}}


def model_settings(url: str) -> dict[str, str]:
    """The environment in which `openai:fast` is the model on loopback."""
    return {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-loopback", "NO_PROXY": "127.0.0.1,localhost"}


@contextmanager
def ground(*, latency_s: float = LATENCY_S, **settings: str) -> Iterator[Ground]:
    """Start everything, with further settings of Prefect's, and stop it at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hitl-benchmark-")))
        model = stack.enter_context(fast_model(latency_s))
        server = stack.enter_context(prefect_server(folder / "prefect", **{**_DEFAULTS, **settings}))
        yield Ground(server.api_url, server.env | model_settings(model), folder, server=server)
