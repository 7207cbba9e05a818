"""Which objects of a store hold the outcomes of a day: one JSON per outcome, and the Parquet that holds copies."""

import re
from dataclasses import dataclass, field

from hitl_prefect.outcomes import outcome_prefix
from hitl_prefect.protocols import Store
from hitl_prefect.tombstones import forgotten_prefix, outcome_key_of

__all__ = ["Day", "ParquetName", "days_of", "parquet_key"]

_OUTCOMES = outcome_prefix()
_PARQUET = "parquet/v1/"
_NAME = re.compile(r"(\d+)-([0-9a-f]{64})\.parquet")
_FOLDER = re.compile(r"task=([^/]+)/dt=(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class ParquetName:
    """What the key of a Parquet object says of it."""

    key: str
    rows: int
    sha256: str
    """Of its bytes: whatever stands under the key and has another one is not what was written."""


@dataclass
class Day:
    """The objects of one task and one day (UTC)."""

    folder: str
    """`task=invoices/dt=2026-01-02`; another text where somebody put objects elsewhere."""
    keys: list[str] = field(default_factory=list)
    """Of the outcomes, sorted; without those that were forgotten."""
    forgotten: list[str] = field(default_factory=list)
    """Of the outcomes that were, sorted."""
    parquet: list[ParquetName] = field(default_factory=list)
    """None of them replaces another: what comes late has an object of its own."""

    @property
    def task(self) -> str | None:
        """The task; `None` where the folder is none of ours."""
        found = _FOLDER.fullmatch(self.folder)
        return found and found[1]

    @property
    def date(self) -> str | None:
        """The day as ISO 8601; `None` where the folder is none of ours."""
        found = _FOLDER.fullmatch(self.folder)
        return found and found[2]

    @property
    def prefix(self) -> str:
        """How the keys of its outcomes begin."""
        return f"{_OUTCOMES}{self.folder}/"

    @property
    def parquet_prefix(self) -> str:
        """How the keys of its Parquet begin."""
        return f"{_PARQUET}{self.folder}/"

    @property
    def is_copied(self) -> bool:
        """Whether the names alone tell that Parquet holds every outcome; several objects may hold the same twice."""
        return [one.rows for one in self.parquet] == [len(self.keys)]


def days_of(store: Store, task: str | None = None) -> list[Day]:
    """The days of a store that have outcomes, in the order of their keys.

    Args:
        store: Where they are.
        task: Only those of one task.
    """
    days: dict[str, Day] = {}
    outcomes = store.keys(outcome_prefix(task))
    # Listed later: of what is forgotten meanwhile a reader finds the outcome, or that it is forgotten.
    forgotten = {outcome_key_of(key) for key in store.keys(forgotten_prefix(task))}
    for key in outcomes:
        folder = key.removeprefix(_OUTCOMES).rpartition("/")[0]
        day = days.setdefault(folder, Day(folder))
        (day.forgotten if key in forgotten else day.keys).append(key)
    for key in store.keys(f"{_PARQUET}task={task}/" if task else _PARQUET):
        folder, _, name = key.removeprefix(_PARQUET).rpartition("/")
        if (found := _NAME.fullmatch(name)) and folder in days:
            days[folder].parquet.append(ParquetName(key, int(found[1]), found[2]))
    return list(days.values())


def parquet_key(day: Day, rows: int, sha256: str) -> str:
    """Where the copy of some outcomes of a day stands.

    >>> parquet_key(Day("task=invoices/dt=2026-01-02"), 120, "ab12")
    'parquet/v1/task=invoices/dt=2026-01-02/120-ab12.parquet'
    """
    return f"{day.parquet_prefix}{rows}-{sha256}.parquet"
