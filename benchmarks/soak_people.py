"""What goes on during the soak: batches of cases come in, people answer, and an upkeep repairs; whatever is down."""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import httpx

from benchmarks.goals import say
from benchmarks.ground import Run
from benchmarks.sides import write_cases
from benchmarks.soak_site import SoakSite

__all__ = ["Brought", "answer_all", "bring_batches", "repair"]

_SCRIPT = Path(__file__).parent / "flows" / "decide_batch.py"
_BAR = "0.5"
_UNSURE = 0.4
"""Of the cases: those that a person sees."""
_EDITED = 0.2
"""Of the answers: those that say something else than the draft."""
_REPAIR = "from hitl_prefect.detached import repair_reviews as r; r()"


class Brought:
    """How many cases have come in so far."""

    def __init__(self) -> None:
        self.cases = 0


def bring_batches(site: SoakSite, brought: Brought, enough: Event, *, size: int) -> None:
    """One batch after the other until it is enough; one that failed is started again with the same cases."""
    while not enough.is_set():
        source = write_cases(site.ground.folder / f"{brought.cases}.jsonl", size, first=brought.cases, unsure=_UNSURE)
        brought.cases += size
        while not _decided(site, source):
            time.sleep(1)


def _decided(site: SoakSite, source: Path) -> bool:
    command = [sys.executable, str(_SCRIPT), str(source), "--store", site.store_url, "--bar", _BAR, "--in-flight", "16"]
    done = subprocess.run(command, env=site.ground.env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        say(f"  batch {source.stem} failed and is started again: {said[:200]}")
        (source.with_suffix(".log")).write_text(done.stderr, "utf-8")
    return done.returncode == 0


def answer_all(site: SoakSite, over: Event) -> None:
    """Answer what waits, again and again: a server that is away now answers later."""
    while not over.is_set():
        with contextlib.suppress(httpx.HTTPError):
            for run in site.ground.runs("review", "PAUSED"):
                _answer(site, run)
        over.wait(0.5)


def _answer(site: SoakSite, run: Run) -> None:
    key = run["state"]["state_details"]["run_input_keyset"]["schema"]
    form = site.ground.api.get(f"/flow_runs/{run['id']}/input/{key}")
    if form.status_code == httpx.codes.NOT_FOUND:  # half opened: it is completed by the next repair
        return
    sha = form.raise_for_status().json()["x-hitl-draft-sha256"]
    typed = {"decision": "approve", "draft_sha256": sha}
    if random.random() < _EDITED:
        typed = {"decision": "edit", "answer": "billing"}
    body = {"run_input": {**typed, "reviewer": "ada"}}
    site.ground.api.post(f"/flow_runs/{run['id']}/resume", json=body)


def repair(site: SoakSite, over: Event, *, every_s: float) -> None:
    """What the scheduled upkeep does for reviews that were half opened."""
    while not over.wait(every_s):
        subprocess.run([sys.executable, "-c", _REPAIR], env=site.ground.env, capture_output=True, check=False)
