"""Reviews on PostgreSQL and Redis, with two API servers and three workers, as docs/scaling.md has it.

```shell
python -m benchmarks.scaled               # 1,000 reviews: opened, answered, drained
```

It needs `pip install 'hitl_prefect[scale]'`, and PostgreSQL and Redis as Debian ships them.
"""

import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack

from benchmarks.goals import Measured, finished, say
from benchmarks.ground import Ground
from benchmarks.made_reviews import open_made
from benchmarks.outgrown import outgrown
from benchmarks.programs import Program, end_politely
from benchmarks.sides import Plugin, hitl_worker

__all__ = ["main"]

_WORKERS = 3
_PATIENCE_S = 30.0


def measure(grounds: list[Ground], count: int, workers: int) -> list[Measured]:
    """Open, answer and drain; the API servers take turns, as behind a balancer."""
    side = Plugin(grounds[0])
    opened = count / open_made(grounds[0], count)
    say(f"{count} reviews wait")
    answered = _answer_all(side, grounds)
    say("all are answered")
    with ExitStack() as stack:
        running = [_worker(stack, grounds[number % len(grounds)], number) for number in range(workers)]
        stored = sorted(side.until_stored(count, running[0]).values())
        twice = _run_twice(side, count)
    drained = (len(stored) - 1) / (stored[-1] - stored[0])
    return [
        Measured(what="reviews opened per s", plugin=opened, goal="20", met=opened >= 20),
        Measured(what="answers taken per s", plugin=answered),
        Measured(what=f"drain with {workers} workers, outcomes per s", plugin=drained),
        Measured(what="reviews that two workers ran", plugin=twice, goal="0", met=not twice),
    ]


def _answer_all(side: Plugin, grounds: list[Ground]) -> float:
    runs = side.waiting()
    answers = [(run, side.typed(run)) for run in runs]
    begun = time.perf_counter()
    for number, (run, typed) in enumerate(answers):
        said = grounds[number % len(grounds)].post(f"/flow_runs/{run['id']}/resume", {"run_input": typed})
        if said["status"] != "ACCEPT":
            raise SystemExit(f"an answer was refused: {said}")
    return len(answers) / (time.perf_counter() - begun)


def _worker(stack: ExitStack, on: Ground, number: int) -> Program:
    return stack.enter_context(hitl_worker(on, f"worker-{number}.log"))


def _run_twice(side: Plugin, count: int) -> int:
    """Reviews that went on in two workers: those that were Running more than once."""
    until = time.monotonic() + _PATIENCE_S
    while side.ground.count(side.flow, "COMPLETED") < count and time.monotonic() < until:
        time.sleep(0.5)
    return sum(_times_running(side.ground, run["id"]) > 1 for run in side.ground.runs(side.flow, "COMPLETED"))


def _times_running(on: Ground, run_id: str) -> int:
    states = on.api.get("/flow_run_states/", params={"flow_run_id": run_id}).raise_for_status().json()
    return sum(state["type"] == "RUNNING" for state in states)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; fails where a goal was missed."""
    parser = ArgumentParser(prog="python -m benchmarks.scaled", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=_WORKERS)
    asked = parser.parse_args(arguments)
    end_politely()
    with outgrown() as grounds:
        rows = measure(grounds, asked.count, asked.workers)
    return finished(rows)


if __name__ == "__main__":
    sys.exit(main())
