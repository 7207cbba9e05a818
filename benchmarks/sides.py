"""The two sides of a comparison: a flow as Prefect's documentation shows it, and this plugin; asked for the same."""

import json
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx

from benchmarks.ground import Ground, Run
from benchmarks.programs import Program

__all__ = ["Naive", "Plugin", "Side", "hitl_worker", "write_cases"]

_HERE = Path(__file__).parent
_PATIENCE_S = 1800.0
_FORMS_S = 10.0
_NAIVE = "naive-triage/naive"


class Side(ABC):
    """One way to have people decide."""

    name: ClassVar[str]
    flow: ClassVar[str]
    """Whose runs wait for a person."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.store = ground.folder / f"{self.flow}-store"

    @abstractmethod
    def open(self, count: int) -> float:
        """Make `count` cases into `count` open reviews, more than there were; the seconds that it took."""

    @abstractmethod
    def carrier(self) -> Program:
        """What carries answered reviews on to a stored outcome."""

    @abstractmethod
    def typed(self, run: Run) -> dict[str, Any]:
        """What a person types into the form of a run to approve its draft."""

    @property
    @abstractmethod
    def outcomes(self) -> Path:
        """The folder below which one file is one outcome."""

    def stored(self) -> dict[str, float]:
        """When each outcome was stored, by the name of its file."""
        files = (path for path in self.outcomes.rglob("*.json") if not path.name.startswith("."))
        return {path.name: path.stat().st_mtime for path in files}

    def waiting(self) -> list[Run]:
        """The runs that wait for a person."""
        return self.ground.runs(self.flow, "PAUSED")

    def answer(self, run: Run, typed: dict[str, Any]) -> None:
        """Answer as the Prefect UI does."""
        said = self.ground.post(f"/flow_runs/{run['id']}/resume", {"run_input": typed})
        if said["status"] != "ACCEPT":
            raise SystemExit(f"{self.name}: an answer was refused: {said}")

    def until_waiting(self, count: int, carrier: Program) -> None:
        """Return when this many runs wait."""
        for _ in _looking(f"{count} reviews of {self.name} wait", carrier, every_s=0.5):
            if self.ground.count(self.flow, "PAUSED") >= count:
                return

    def until_stored(self, count: int, carrier: Program, *, every_s: float = 0.5) -> dict[str, float]:
        """What is stored, once it is this much."""
        for _ in _looking(f"{count} outcomes of {self.name}", carrier, every_s=every_s):
            if len(found := self.stored()) >= count:
                return found
        raise AssertionError


class Naive(Side):
    """`benchmarks/naive/triage.py`, served with default settings."""

    name = "plain Prefect"
    flow = "naive-triage"

    @property
    def outcomes(self) -> Path:
        """Its own files."""
        return self.store

    def carrier(self) -> Program:
        """`flow.serve`."""
        return Program([str(_HERE / "naive" / "triage.py")], self.ground.env, self.ground.folder / "naive.log")

    def open(self, count: int) -> float:
        """A flow run for each; the clock starts when the flow is served already."""
        before = self.ground.count(self.flow, "PAUSED")
        with self.carrier() as served:
            path = f"/deployments/{self._deployment(served)}/create_flow_run"
            begun = time.perf_counter()
            for number in range(before, before + count):
                case = {"case_id": f"case-{number}", "prompt": f"Case {number}", "outcomes": str(self.store)}
                self.ground.post(path, {"parameters": case, "state": {"type": "SCHEDULED"}})
            self.until_waiting(before + count, served)
            seconds = time.perf_counter() - begun
            # The form follows the state: a process that is stopped in between leaves a crashed run behind.
            time.sleep(_FORMS_S)
        return seconds

    def _deployment(self, served: Program) -> str:
        for _ in _looking("the flow is served", served, every_s=0.2):
            found = self.ground.api.get(f"/deployments/name/{_NAIVE}")
            if found.status_code == httpx.codes.OK:
                return str(found.json()["id"])
        raise AssertionError

    def typed(self, run: Run) -> dict[str, Any]:  # noqa: ARG002 - all drafts are the same
        """The draft as it was filled in."""
        return {"decision": "approve", "answer": "delivery"}


class Plugin(Side):
    """`resolve_cases` and `hitl worker`."""

    name = "hitl_prefect"
    flow = "review"

    @property
    def outcomes(self) -> Path:
        """Outcomes alone; the store holds an index beside them."""
        return self.store / "outcomes"

    def carrier(self) -> Program:
        """`hitl worker`."""
        return hitl_worker(self.ground, "worker.log")

    def open(self, count: int) -> float:
        """One flow run for all, in a new Python process whose start counts."""
        before = self.ground.count(self.flow, "PAUSED")
        source = write_cases(self.ground.folder / f"cases-{before}.jsonl", count, first=before)
        begun = time.perf_counter()
        self.decide(source)
        seconds = time.perf_counter() - begun
        if (wait := self.ground.count(self.flow, "PAUSED")) != before + count:
            raise SystemExit(f"{wait} reviews wait, and not {before + count}")
        return seconds

    def decide(self, source: Path, *arguments: str) -> dict[str, Any]:
        """Run the batch flow on a file of cases; what it printed."""
        script, store = str(_HERE / "flows" / "decide_batch.py"), f"folder:{self.store}"
        command = [sys.executable, script, str(source), "--store", store, *arguments]
        done = subprocess.run(command, env=self.ground.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the batch flow failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def typed(self, run: Run) -> dict[str, Any]:
        """An approval of the draft that the form shows."""
        key = run["state"]["state_details"]["run_input_keyset"]["schema"]
        form = self.ground.api.get(f"/flow_runs/{run['id']}/input/{key}").raise_for_status().json()
        return {"decision": "approve", "draft_sha256": form["x-hitl-draft-sha256"], "reviewer": "ada"}


def hitl_worker(on: Ground, log: str) -> Program:
    """`hitl worker`, with its defaults."""
    command = ["-m", "hitl_prefect", "worker", "--pool", "hitl-reviews"]
    return Program(command, on.env, on.folder / log)


def write_cases(path: Path, count: int, *, first: int = 0, unsure: float = 0.0) -> Path:
    """A JSONL file of cases; in a share of them, spread evenly, the model on loopback doubts its answer."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(first, first + count):
            doubt = " UNSURE" if int((number + 1) * unsure) > int(number * unsure) else ""
            file.write(json.dumps({"id": f"case-{number}", "prompt": f"Case {number}{doubt}"}) + "\n")
    return path


def _looking(what: str, carrier: Program, *, every_s: float) -> Iterator[None]:
    """Look again and again; ends the benchmark where the program has ended, or nothing came of it in half an hour."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        yield
        carrier.must_run()
        time.sleep(every_s)
    raise SystemExit(f"not within {_PATIENCE_S:.0f} s: {what}")
