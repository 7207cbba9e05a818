"""Opening, answering and draining reviews: this plugin beside a flow as Prefect's documentation shows it.

```shell
python -m benchmarks.reviews                  # all of this
python -m benchmarks.reviews resume           # seconds from an answer to its stored outcome, one review at a time
python -m benchmarks.reviews drain            # 500 answered reviews, outcomes per second
python -m benchmarks.reviews open             # 100 cases to 100 open reviews
python -m benchmarks.reviews bulk             # 1,000 drafts to 1,000 open reviews
python -m benchmarks.reviews waiting          # the worker's memory and processes, with 10 and with 10,000 waiting
```

`--plain 0` leaves the plain side out. Both sides use the same server in the same run, set up as docs/scaling.md tells,
and with Prefect's defaults for all else; `drain` and `bulk` have it on PostgreSQL, since on SQLite it may stand still
for a minute.
"""

import random
import statistics
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import nullcontext

from benchmarks.databases import POOLED, postgresql
from benchmarks.goals import Measured, finished, part_of, say
from benchmarks.ground import Ground, ground
from benchmarks.made_reviews import open_made
from benchmarks.programs import end_politely, memory_mb
from benchmarks.sides import Naive, Plugin, Side
from tests.servers.machine import family

__all__ = ["main"]

_SETTLED_S = 20.0
"""A worker that has nothing to do has then imported all that it ever will."""


def resume(on: Ground, asked: Namespace) -> list[Measured]:
    """Answers to stored outcomes, one at a time."""
    plain = _resume_times(Naive(on), asked.plain, asked.pause) if asked.plain else None
    plugin = _resume_times(Plugin(on), asked.count, asked.pause)
    rows = []
    for what, at in (("p50", 0.5), ("p95", 0.95)):
        ours, theirs = _quantile(plugin, at), None if plain is None else _quantile(plain, at)
        enough = (theirs is None or ours <= theirs / 5) and (what != "p50" or ours <= 0.8)
        goal = "1/5 of plain, and 0.8 s" if what == "p50" else "1/5 of plain"
        rows.append(Measured(what=f"resume to outcome, {what}, s", plugin=ours, plain=theirs, goal=goal, met=enough))
    return rows


def _resume_times(side: Side, rounds: int, pause_s: float) -> list[float]:
    """The first one is left out: it imports and connects."""
    side.open(rounds + 1)
    seconds = []
    with side.carrier() as carrier:
        for run in side.waiting():
            # Whoever looks every 10 s would else always be answered right after a look.
            time.sleep(random.uniform(0, pause_s))
            typed, before = side.typed(run), len(side.stored())
            begun = time.perf_counter()
            side.answer(run, typed)
            side.until_stored(before + 1, carrier, every_s=0.01)
            seconds.append(time.perf_counter() - begun)
            say(f"{side.name}: {seconds[-1]:.2f} s")
    return seconds[1:]


def _quantile(values: list[float], at: float) -> float:
    return (
        statistics.quantiles(values, n=100, method="inclusive")[round(at * 100) - 1] if len(values) > 1 else values[0]
    )


def drain(on: Ground, asked: Namespace) -> list[Measured]:
    """Outcomes per second, of reviews that were answered while nothing ran."""
    plain = _drain_rate(Naive(on), asked.plain) if asked.plain else None
    plugin = _drain_rate(Plugin(on), asked.count)
    met = None if plain is None else plugin >= 15 * plain
    return [Measured(what="drain, outcomes per s", plugin=plugin, plain=plain, goal="15 x plain", met=met)]


def _drain_rate(side: Side, count: int) -> float:
    side.open(count)
    answers = [(run, side.typed(run)) for run in side.waiting()]
    for run, typed in answers:
        side.answer(run, typed)
    say(f"{side.name}: {count} answered")
    with side.carrier() as carrier:
        stored = sorted(side.until_stored(count, carrier).values())
    # From the first to the last: the start of the program does not count.
    return (len(stored) - 1) / (stored[-1] - stored[0])


def opening(on: Ground, asked: Namespace) -> list[Measured]:
    """Cases to open reviews, generation included."""
    plain = Naive(on).open(asked.plain) * asked.count / asked.plain if asked.plain else None
    seconds = Plugin(on).open(asked.count)
    what = f"{asked.count} cases to open reviews, s"
    return [Measured(what=what, plugin=seconds, plain=plain, goal="10 s for 100", met=seconds <= asked.count / 10)]


def bulk(on: Ground, asked: Namespace) -> list[Measured]:
    """Drafts to open reviews."""
    rate = asked.count / open_made(on, asked.count)
    return [Measured(what="reviews opened per s", plugin=rate, goal="20 on PostgreSQL", met=rate >= 20)]


def waiting(on: Ground, asked: Namespace) -> list[Measured]:
    """What a worker takes beside few and beside many waiting reviews."""
    few, many = (_worker_beside(on, count) for count in (10, asked.count))
    share = many[0] / few[0]
    return [
        Measured(what="worker's memory, 10 waiting, MB", plugin=few[0]),
        Measured(
            what=f"worker's memory, {asked.count} waiting, MB", plugin=many[0], goal="within 10%", met=share <= 1.1
        ),
        Measured(
            what=f"worker's processes, {asked.count} waiting", plugin=many[1], goal="as with 10", met=many[1] <= few[1]
        ),
    ]


def _worker_beside(on: Ground, count: int) -> tuple[float, int]:
    """Memory and processes once it has settled one review, so that all is imported."""
    side = Plugin(on)
    open_made(on, count - on.count(side.flow, "PAUSED"))
    run, before = on.post("/flow_runs/filter", {**_PAUSED, "limit": 1})[0], len(side.stored())
    with side.carrier() as carrier:
        side.answer(run, side.typed(run))
        side.until_stored(before + 1, carrier)
        time.sleep(_SETTLED_S)
        return memory_mb(carrier.pid), len(family(carrier.pid))


_PAUSED = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}
_PARTS: dict[str, tuple[Callable[[Ground, Namespace], list[Measured]], int, int, str]] = {
    "resume": (resume, 30, 15, "sqlite"),
    "drain": (drain, 500, 40, "postgresql"),
    "open": (opening, 100, 100, "sqlite"),
    "bulk": (bulk, 1000, 0, "postgresql"),
    "waiting": (waiting, 10_000, 0, "sqlite"),
}
"""What to run, how many reviews on our side and on the plain one, and the server's database."""


def main(arguments: list[str] | None = None) -> int:
    """Print the table; fails where a goal was missed."""
    parser = ArgumentParser(prog="python -m benchmarks.reviews", description=__doc__)
    parser.add_argument("parts", nargs="*", type=part_of(_PARTS), help=f"{', '.join(_PARTS)}; all without")
    parser.add_argument("--count", type=int, help="reviews on our side")
    parser.add_argument("--plain", type=int, help="reviews on the plain side; 0 leaves it out")
    parser.add_argument("--pause", type=float, default=10, help="between two answers of `resume`, at most, in s")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="of the server, for all parts")
    asked = parser.parse_args(arguments)
    end_politely()
    return finished([row for part in asked.parts or _PARTS for row in _measured(part, asked)])


def _measured(part: str, asked: Namespace) -> list[Measured]:
    """One part, on a server of its own."""
    say(f"{part} ...")
    measure, count, plain, database = _PARTS[part]
    own = Namespace(**vars(asked))
    own.count, own.plain = asked.count or count, plain if asked.plain is None else asked.plain
    elsewhere = (asked.database or database) == "postgresql"
    with postgresql() if elsewhere else nullcontext() as url:
        settings = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url, **POOLED} if url else {}
        with ground(**settings) as on:
            return measure(on, own)


if __name__ == "__main__":
    sys.exit(main())
