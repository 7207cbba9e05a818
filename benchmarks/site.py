"""The servers of a benchmark, all real and all on loopback: Prefect, a Ceph object store, two served flows.

Only the hosted models are replaced, by a server that speaks their protocols and replays what they once answered.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from benchmarks.exams import Exam
from hitl_prefect.demo.processes import PrefectServer, prefect_server, served_flow
from hitl_prefect.errors import HitlError
from hitl_prefect.project import project_folder
from tests.servers.ceph import ceph_rgw
from tests.servers.machine import program
from tests.servers.s3_server import S3Server
from tests.wire.loopback import Answer, LoopbackAI, Said

__all__ = ["Replay", "Site", "benchmark_site"]

_CEPH = ("ceph-mon", "ceph-osd", "radosgw", "ceph")
_SHOWN = 6000
"""Characters of a log."""


class Site:
    """What runs while a benchmark does."""

    def __init__(self, ai: LoopbackAI, ceph: S3Server | None, folder: Path) -> None:
        self._ai, self._ceph, self._folder = ai, ceph, folder

    @property
    def kind_of_store(self) -> str:
        """Where outcomes are kept, in words."""
        return "Ceph RGW" if self._ceph else "folder (Ceph is not installed here)"

    def new_store(self, name: str) -> str:
        """The URL of a store that is empty."""
        return self._ceph.store(self._ceph.new_bucket()).url if self._ceph else f"folder:{self._folder / name}"

    def calls(self, model: str) -> int:
        """How often a hosted model was asked."""
        return sum(asked.body["model"] == model.partition(":")[2] for asked in self._ai.requests)


@contextmanager
def benchmark_site(exams: list[Exam]) -> Iterator[Site]:
    """Start everything, and stop it at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hitl-benchmark-")))
        ai = stack.enter_context(LoopbackAI(Replay(exams).reply))
        ceph = stack.enter_context(_ceph(folder / "ceph"))
        keys = ceph.env if ceph else {}
        stack.enter_context(_environment({**ai.env, **keys, "NO_PROXY": "127.0.0.1,localhost"}))
        stack.enter_context(_logs_shown_on_failure(folder / "prefect"))
        server = stack.enter_context(prefect_server(folder / "prefect"))
        _serve_flows(stack, server)
        yield Site(ai, ceph, folder)


def _serve_flows(stack: ExitStack, server: PrefectServer) -> None:
    settings = {PREFECT_API_URL: server.api_url, PREFECT_HOME: str(server.home)}
    stack.enter_context(temporary_settings(settings))
    flows = (Path(__file__).parent / "flows" / "code_claim.py", project_folder() / "flows" / "resolve_case.py")
    for script in flows:
        stack.enter_context(served_flow(server, script))


class Replay:
    """Answers each prompt with what the model of the request once answered to it."""

    def __init__(self, exams: list[Exam]) -> None:
        self._replies = {
            (exam.model.partition(":")[2], prompt): reply
            for exam in exams
            for prompt, reply in (exam.replies or {}).items()
        }

    def reply(self, path: str, body: dict[str, Any]) -> Answer:  # noqa: ARG002 - the body names the model
        """The recorded reply; an error where the request holds another prompt, or more than one message."""
        (message, *more) = body["messages"]
        recorded = self._replies.get((body["model"], message["content"]))
        return Said("no such prompt was recorded", status=400) if recorded is None or more else recorded


@contextmanager
def _logs_shown_on_failure(home: Path) -> Iterator[None]:
    """The folder goes when the benchmark ends; why a flow run crashed stands in no other place."""
    try:
        yield
    except HitlError:
        for log in (home / "server.log", home / "flow.log"):
            print(f"--- end of {log.name}\n{_end_of(log)}", file=sys.stderr)
        raise


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-_SHOWN:] if log.exists() else ""


@contextmanager
def _ceph(folder: Path) -> Iterator[S3Server | None]:
    if not all(map(program, _CEPH)):
        print("Ceph is not installed: outcomes are kept in a folder.", file=sys.stderr)
        yield None
        return
    folder.mkdir()
    with ceph_rgw(folder) as server:
        yield server


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables for this process and for all that it starts, until the end."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
