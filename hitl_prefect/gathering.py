"""Everything that a store knows of how far its machines can be trusted."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hitl_prefect.columns import Spoiled
from hitl_prefect.days import Day, days_of
from hitl_prefect.evidence import Evidence, evidence_of
from hitl_prefect.protocols import Store
from hitl_prefect.reading import Unreadable, open_copies, read_json, spoiled

__all__ = ["Gathered", "gather"]

_DAYS_AT_ONCE = 4
"""Whose Parquet is in memory at a time."""


@dataclass
class Gathered:
    """What was read of a store."""

    evidence: list[Evidence] = field(default_factory=list)
    """In the order of the keys: by task, day and case."""
    unreadable: list[Unreadable] = field(default_factory=list)
    forgotten: int = 0
    """Cases that were forgotten on request, and count nowhere."""


def gather(store: Store, task: str | None = None) -> Gathered:
    """Read the evidence of every outcome; an object that cannot be read is named, and reading goes on.

    Of what was compacted into Parquet only the columns of the evidence are read; 100,000 outcomes take seconds.

    Args:
        store: Where the outcomes are.
        task: Only those of one task.

    Raises:
        StoreUnavailable: If the store is down.
        StoreDenied: If nothing may be listed there.
    """
    days = days_of(store, task)
    found: dict[str, Evidence] = {}
    gathered = Gathered(forgotten=sum(len(day.forgotten) for day in days))
    with ThreadPoolExecutor(_DAYS_AT_ONCE) as pool:
        for evidence, spoiled in pool.map(lambda day: _from_parquet(store, day), days):
            found |= evidence
            gathered.unreadable += spoiled
    for key, one in read_json(store, [key for day in days for key in day.keys if key not in found]):
        if isinstance(one, Unreadable):
            gathered.unreadable.append(one)
        else:
            found[key] = evidence_of(one)
    gathered.evidence = [found[key] for day in days for key in day.keys if key in found]
    return gathered


def _from_parquet(store: Store, day: Day) -> tuple[dict[str, Evidence], tuple[Unreadable, ...]]:
    copies = open_copies(store, day)
    found: dict[str, Evidence] = {}
    spoilt = list(copies.spoiled)
    for file in copies.files:
        try:
            found |= dict(file.evidence())
        except Spoiled as exc:
            spoilt.append(spoiled(file.key, exc))
    return found, tuple(spoilt)
