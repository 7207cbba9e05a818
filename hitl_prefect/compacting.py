"""Copy the outcomes of past days into Parquet, so that reading many of them takes seconds.

Nothing is moved, replaced or deleted: JSON stays the record. A day is copied once it is over (UTC). What comes late
gets an object of its own at the next run, so that all Parquet of a day together holds each outcome once; two runs at
the same time may copy an outcome twice, which `gather` and `read_outcomes` count once.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from hitl_prefect.columns import parquet_of
from hitl_prefect.days import Day, days_of, parquet_key
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import Outcome
from hitl_prefect.protocols import Store, erasable
from hitl_prefect.reading import Unreadable, open_copies, parsed, read_stored
from hitl_prefect.tombstones import forgotten_key, outcome_key_of

__all__ = ["Compacted", "Compaction", "compact"]


class Compacted(Frozen):
    """One Parquet object that was written, or would be."""

    task: str
    date: str
    """The day, as ISO 8601."""
    outcomes: int
    key: str | None
    """Where it stands; `None` where nothing was written."""
    size_bytes: int | None


class Compaction(Frozen):
    """What was copied into Parquet."""

    days: tuple[Compacted, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    """Objects that were not copied; they stay as they are."""


def compact(store: Store, *, task: str | None = None, dry_run: bool = False, today: str | None = None) -> Compaction:
    """Copy every outcome of past days that no Parquet object holds yet. Safe to run twice.

    One day is in memory at a time, packed.

    Args:
        store: Where the outcomes are.
        task: Only those of one task.
        dry_run: Only say what would be copied.
        today: The first day that is left alone, as ISO 8601; today in UTC if empty.

    Raises:
        MissingExtra: If pyarrow is not installed.
        StoreError: If the store is down, or lets nobody list or write.
    """
    until = today or datetime.now(UTC).strftime("%Y-%m-%d")
    copied, broken = list[Compacted](), list[Unreadable]()
    for day in days_of(store, task):
        if day.date is None or day.date >= until or day.is_copied:
            continue
        copies = open_copies(store, day)
        broken += copies.spoiled
        if not copies.missing:
            continue
        if dry_run:
            copied.append(_named(day, len(copies.missing)))
        elif one := _copy(store, day, copies.missing, broken):
            copied.append(one)
    return Compaction(days=tuple(copied), unreadable=tuple(broken))


def _copy(store: Store, day: Day, keys: Sequence[str], broken: list[Unreadable]) -> Compacted | None:
    """Write one object for some outcomes of a day; `None` where not one of them can be read."""
    rows = 0

    def readable() -> Iterator[tuple[bytes, Outcome[JsonValue]]]:
        nonlocal rows
        for key, stored in read_stored(store, keys):
            if isinstance(stored, Unreadable):
                broken.append(stored)
            elif isinstance(outcome := parsed(key, stored), Unreadable):
                broken.append(outcome)
            else:
                rows += 1
                yield stored, outcome

    body = parquet_of(readable())
    if not rows:
        return None
    key = parquet_key(day, rows, hashlib.sha256(body).hexdigest())
    store.put_once(key, body)
    if _was_forgotten(store, day, keys):
        # Whoever forgets a case deletes the Parquet of its day after writing the tombstone, and may have done so before
        # this object stood. The next run copies what is left.
        erasable(store).erase(key)
        return None
    return _named(day, rows).model_copy(update={"key": key, "size_bytes": len(body)})


def _was_forgotten(store: Store, day: Day, keys: Sequence[str]) -> bool:
    prefix = forgotten_key(day.prefix)
    return not {outcome_key_of(key) for key in store.keys(prefix)}.isdisjoint(keys)


def _named(day: Day, outcomes: int) -> Compacted:
    return Compacted(task=day.task or "", date=day.date or "", outcomes=outcomes, key=None, size_bytes=None)
