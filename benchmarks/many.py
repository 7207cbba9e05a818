"""Thousands of cases in one flow run, against a model that takes 0.2 s for each.

```shell
python -m benchmarks.many               # both of these
python -m benchmarks.many pace          # 2,000 cases at 64 in flight, beside three mapped tasks for each case
python -m benchmarks.many size          # 10,000 and 100,000 cases: memory and time
```

The ideal is a client that costs nothing: cases / in flight x 0.2 s. `pace` takes the seconds of the flow run itself, so
without the start of Python, on both sides. `size` has the model answer at once: what is measured is the flow.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from benchmarks.fast_model import LATENCY_S
from benchmarks.goals import Measured, finished, part_of, say
from benchmarks.ground import Ground, ground
from benchmarks.naive_many import decide_naively
from benchmarks.programs import cpu_s, end_politely
from benchmarks.sides import Plugin, write_cases

__all__ = ["main"]

_QUIET = 0.05
"""Of one core: a server that has nothing to do takes about half of that, for its own services."""
_IN_A_ROW = 3
_PATIENCE_S = 120.0
_LATENCY_OF_SIZE_S = 0.005


def pace(on: Ground, asked: Namespace) -> list[Measured]:
    """The flow's wall time, and how soon the server is quiet again."""
    cases = asked.counts[0]
    source = write_cases(on.folder / "cases.jsonl", cases)
    ideal = cases / asked.in_flight * LATENCY_S
    ours = _decide(on, cases, asked.in_flight)
    quiet = _until_quiet(on)
    plain = decide_naively(on, source, asked.in_flight) if asked.plain else None
    quiet_after_plain = _until_quiet(on) if asked.plain else None
    seconds = ours["seconds"]
    return [
        Measured(
            what=f"{cases} cases at {asked.in_flight} in flight, s (ideal {ideal:.2f})",
            plugin=seconds,
            plain=plain,
            goal="1.5 x ideal",
            met=seconds <= 1.5 * ideal,
        ),
        Measured(what="the flow's processor, ms per case", plugin=ours["cpu_s"] / cases * 1000),
        Measured(
            what=f"the server takes less than {_QUIET:.0%} of a core after, s",
            plugin=quiet,
            plain=quiet_after_plain,
            goal="10 s",
            met=quiet <= 10,
        ),
    ]


def size(on: Ground, asked: Namespace) -> list[Measured]:
    """Each count in a process and a store of its own."""
    counts, ran = asked.counts, {count: _decide(on, count, asked.in_flight) for count in asked.counts}
    few, many = ran[min(counts)], ran[max(counts)]
    share = many["peak_mb"] / few["peak_mb"]
    per_case = [one["seconds"] / count for count, one in ran.items()]
    rows = [
        row
        for count, one in ran.items()
        for row in (
            Measured(what=f"{count} cases, s", plugin=one["seconds"]),
            Measured(what=f"{count} cases, peak MB", plugin=one["peak_mb"]),
        )
    ]
    flat = Measured(what="memory, many to few", plugin=share, goal="within 20%", met=share <= 1.2)
    slope = max(per_case) / min(per_case)
    linear = Measured(what="seconds per case, most to least", plugin=slope, goal="within 20%", met=slope <= 1.2)
    return [*rows, flat, linear]


def _decide(on: Ground, count: int, in_flight: int) -> dict[str, Any]:
    """Run the batch flow, all cases of which are accepted; what it took."""
    say(f"{count} cases ...")
    side = Plugin(on)
    side.store = on.folder / f"store-{count}"
    source = write_cases(on.folder / f"cases-{count}.jsonl", count)
    ran = side.decide(source, "--bar", "0", "--in-flight", str(in_flight))
    if (stored := len(side.stored())) != count:
        raise SystemExit(f"{count} cases left {stored} outcomes in the store")
    return ran


def _until_quiet(on: Ground) -> float:
    """Seconds until the first of three in a row in which the server has next to nothing to do."""
    begun, quiet = time.monotonic(), 0
    while quiet < _IN_A_ROW and time.monotonic() < begun + _PATIENCE_S:
        before = cpu_s(on.server_pid)
        time.sleep(1)
        quiet = quiet + 1 if cpu_s(on.server_pid) - before < _QUIET else 0
    return max(0.0, time.monotonic() - begun - _IN_A_ROW)


_PARTS: dict[str, tuple[Callable[[Ground, Namespace], list[Measured]], list[int], float]] = {
    "pace": (pace, [2000], LATENCY_S),
    "size": (size, [10_000, 100_000], _LATENCY_OF_SIZE_S),
}


def main(arguments: list[str] | None = None) -> int:
    """Print the table; fails where a goal was missed."""
    parser = ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("parts", nargs="*", type=part_of(_PARTS), help=f"{', '.join(_PARTS)}; all without")
    parser.add_argument("--counts", type=int, nargs="+", help="cases")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--plain", type=int, default=1, help="0 leaves the plain side out")
    asked = parser.parse_args(arguments)
    end_politely()
    return finished([row for part in asked.parts or _PARTS for row in _measured(part, asked)])


def _measured(part: str, asked: Namespace) -> list[Measured]:
    """One part, on a server of its own."""
    measure, counts, latency_s = _PARTS[part]
    own = Namespace(**vars(asked))
    own.counts = asked.counts or counts
    with ground(latency_s=latency_s) as on:
        return measure(on, own)


if __name__ == "__main__":
    sys.exit(main())
