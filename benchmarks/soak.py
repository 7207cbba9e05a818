"""Batches, reviews and answers for half an hour, while the worker, the server and the store are killed at random.

```shell
python -m benchmarks.soak                              # 30 minutes, a kill each minute
python -m benchmarks.soak --minutes 3 --every 20       # a short form
```

Kill -9, at a random moment of each span; what was killed is started again at once. At the end nobody is killed any
more, and everything settles. Then each case must have exactly one outcome, of the schema, and nothing may be set aside.
"""

import random
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
from pydantic import JsonValue

from benchmarks.goals import Measured, goals_table, say
from benchmarks.programs import end_politely
from benchmarks.soak_people import Brought, answer_all, bring_batches, repair
from benchmarks.soak_site import SoakSite, soak_site
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import Outcome

__all__ = ["Soaked", "main", "soak"]

_SETTLE_S = 300.0
"""A worker elsewhere is taken for dead after a minute and a half."""
_REPAIR_S = 10.0


class Soaked(Frozen):
    """What a soak left."""

    cases: int
    calls: int
    """Answers of the model."""
    kills: dict[str, int]
    outcomes: int
    cases_decided: int
    by_people: int
    not_valid: int
    set_aside: int
    """Second, different outcomes of a case."""
    unsettled: int
    """Reviews that had not ended, or not well."""

    @property
    def is_whole(self) -> bool:
        """As many outcomes as cases, all valid, none twice."""
        counts = {self.cases, self.outcomes, self.cases_decided}
        return len(counts) == 1 and not self.not_valid and not self.set_aside and not self.unsettled


def soak(site: SoakSite, *, minutes: float, every_s: float, size: int) -> Soaked:
    """Let it all run, kill for so many minutes, let it settle, and count."""
    brought, enough, over, kills = Brought(), Event(), Event(), Counter[str]()
    bringing = _thread(bring_batches, site, brought, enough, size=size)
    others = [_thread(answer_all, site, over), _thread(repair, site, over, every_s=_REPAIR_S)]
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        _kill_one(site, kills, every_s)
    enough.set()
    bringing.join(_SETTLE_S)
    _until_settled(site, brought.cases)
    over.set()
    for thread in others:
        thread.join()
    return _count(site, brought.cases, dict(kills))


def _thread(work: Any, *given: Any, **more: Any) -> Thread:
    thread = Thread(target=work, args=given, kwargs=more, daemon=True)
    thread.start()
    return thread


def _kill_one(site: SoakSite, kills: Counter[str], every_s: float) -> None:
    """At a random moment of the span, one that was killed least so far; the rest of the span is rest."""
    moment = random.uniform(0, every_s)
    time.sleep(moment)
    fewest = min(kills[name] for name in site.victims)
    name = random.choice([name for name in site.victims if kills[name] == fewest])
    say(f"kill -9: {name}; {len(_files(site.data))} outcomes so far")
    site.victims[name]()
    kills[name] += 1
    time.sleep(every_s - moment)


def _until_settled(site: SoakSite, cases: int) -> None:
    until = time.monotonic() + _SETTLE_S
    while time.monotonic() < until and (len(_files(site.data)) < cases or _unsettled(site)):
        time.sleep(1)


def _unsettled(site: SoakSite) -> int:
    return sum(site.ground.count("review", kind) for kind in _KINDS)


_KINDS = ("PAUSED", "SCHEDULED", "PENDING", "RUNNING", "FAILED", "CRASHED", "CANCELLED")


def _files(data: Path) -> list[Path]:
    return [path for path in (data / "outcomes").rglob("*.json") if not path.name.startswith(".")]


def _count(site: SoakSite, cases: int, kills: dict[str, int]) -> Soaked:
    outcomes, broken = [], 0
    for path in _files(site.data):
        try:
            outcomes.append(Outcome[JsonValue].model_validate_json(path.read_bytes()))
        except ValueError:
            broken += 1
    return Soaked(
        cases=cases,
        calls=httpx.get(f"{site.model_url}/calls", trust_env=False).json(),
        kills=kills,
        outcomes=len(outcomes),
        cases_decided=len({outcome.case.id for outcome in outcomes}),
        by_people=sum(outcome.review is not None for outcome in outcomes),
        not_valid=broken,
        set_aside=len([path for path in site.data.rglob("*") if path.is_file() and "quarantine" in path.parts]),
        unsettled=_unsettled(site),
    )


def _table(soaked: Soaked) -> str:
    told = soaked.model_dump(exclude={"kills"}) | {
        f"kills of the {name}": kills for name, kills in soaked.kills.items()
    }
    rows = [Measured(what=name.replace("_", " "), plugin=value) for name, value in told.items()]
    whole = Measured(what="one valid outcome for each case", plugin=soaked.is_whole, goal="1", met=soaked.is_whole)
    return goals_table([*rows, whole])


def main(arguments: list[str] | None = None) -> int:
    """Print the table; fails where an outcome is missing, twice or not valid."""
    parser = ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=60, help="seconds from one kill to the next, on average")
    parser.add_argument("--size", type=int, default=40, help="cases of a batch")
    asked = parser.parse_args(arguments)
    end_politely()
    with soak_site() as site:
        soaked = soak(site, minutes=asked.minutes, every_s=asked.every, size=asked.size)
    print(_table(soaked))
    return int(not soaked.is_whole)


if __name__ == "__main__":
    sys.exit(main())
