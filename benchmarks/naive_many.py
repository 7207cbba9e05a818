"""Runs `benchmarks/naive/three_tasks.py`, and counts what it left."""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.goals import say
from benchmarks.ground import Ground

__all__ = ["decide_naively"]

_SCRIPT = Path(__file__).parent / "naive" / "three_tasks.py"


def decide_naively(on: Ground, source: Path, in_flight: int) -> float:
    """The seconds of the flow run, without the start of Python.

    Raises:
        SystemExit: If it failed, or left less than one file for each case.
    """
    say("three tasks for each case ...")
    outcomes = on.folder / f"naive-{time.monotonic_ns()}"
    command = [sys.executable, str(_SCRIPT), str(source), str(outcomes), str(in_flight)]
    done = subprocess.run(command, env=on.env, capture_output=True, text=True, check=False)
    cases = len(source.read_text("utf-8").splitlines())
    if done.returncode or len(list(outcomes.glob("*.json"))) != cases:
        raise SystemExit(f"the plain flow failed:\n{done.stderr[-3000:]}")
    return float(done.stdout.splitlines()[-1])
