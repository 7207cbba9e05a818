"""The outcomes of a store, one after the other: tens of thousands of them, of which a few are in memory at a time.

A day that was compacted is read from Parquet, and what Parquet does not hold from JSON. JSON is the record: a row of
Parquet whose JSON is gone does not count, and a Parquet object that is not whole is as good as none.
"""

import heapq
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

from pydantic import JsonValue

from hitl_prefect.answers import problems_of
from hitl_prefect.columns import Columns, Spoiled, can_read
from hitl_prefect.days import Day, ParquetName, days_of
from hitl_prefect.errors import ConfigError, ObjectMissing, StoreDenied
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import visible
from hitl_prefect.outcomes import Outcome
from hitl_prefect.protocols import Store
from hitl_prefect.tombstones import tombstone_of

__all__ = ["Copies", "Unreadable", "open_copies", "parsed", "read_json", "read_outcomes", "read_stored", "spoiled"]

_AT_ONCE = 16
"""Reading from a bucket is mostly waiting."""
_CHUNK = 128

_Read = tuple[str, "Outcome[JsonValue] | Unreadable"]


class Unreadable(Frozen):
    """An object of a store that is not what it should be."""

    key: str
    problem: str


def read_outcomes(store: Store, task: str | None = None) -> Iterator[Outcome[JsonValue] | Unreadable]:
    """Every outcome of a store in the order of its keys; an object that cannot be read is named, and reading goes on.

    Args:
        store: Where they are.
        task: Only those of one task.

    Raises:
        StoreUnavailable: If the store is down; what was read before was right.
        StoreDenied: If nothing may be listed there.
    """
    waiting: list[str] = []
    for day in days_of(store, task):
        copies = open_copies(store, day)
        yield from copies.spoiled
        if not copies.files:
            # Days of a few outcomes each are read many days at a time.
            waiting += day.keys
            continue
        yield from _without_keys(read_json(store, waiting))
        waiting = []
        yield from _without_keys(_merged(copies.outcomes(), read_json(store, copies.missing)))
    yield from _without_keys(read_json(store, waiting))


def read_stored(store: Store, keys: Sequence[str]) -> Iterator[tuple[str, bytes | Unreadable]]:
    """The bytes under some keys, in their order, each with its key."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            yield from zip(chunk, pool.map(lambda key: _read(store, key), chunk), strict=True)


def read_json(store: Store, keys: Sequence[str]) -> Iterator[_Read]:
    """The outcomes under some keys, in their order, each with its key."""
    for key, stored in read_stored(store, keys):
        yield key, stored if isinstance(stored, Unreadable) else parsed(key, stored)


def parsed(key: str, stored: bytes) -> Outcome[JsonValue] | Unreadable:
    """The outcome that stands under a key."""
    try:
        return Outcome[JsonValue].model_validate_json(stored)
    except ValueError as exc:
        if tombstone_of(stored):
            return Unreadable(key=key, problem="it was forgotten while it was read")
        # Of what is no JSON at all the problem is with the object, not with an answer in it.
        return Unreadable(key=key, problem="; ".join(problems_of(exc)[:3]).removeprefix("answer: "))


@dataclass(frozen=True)
class Copies:
    """What Parquet holds of a day."""

    files: tuple[Columns, ...]
    spoiled: tuple[Unreadable, ...]
    missing: tuple[str, ...]
    """The keys of the outcomes that are to be read from JSON."""
    _listed: frozenset[str]

    def outcomes(self) -> Iterator[_Read]:
        """The outcomes in the order of their keys, each once."""
        last = None
        for key, stored in heapq.merge(*(one.outcomes() for one in self.files), key=itemgetter(0)):
            if key != last and key in self._listed:
                yield key, parsed(key, stored)
            last = key


def open_copies(store: Store, day: Day) -> Copies:
    """Open the Parquet of a day; none where pyarrow is not installed."""
    opened = [_opened(store, day, name) for name in day.parquet] if can_read() else []
    files = tuple(one for one in opened if isinstance(one, Columns))
    held = set(chain.from_iterable(one.keys for one in files))
    return Copies(
        files=files,
        spoiled=tuple(one for one in opened if isinstance(one, Unreadable)),
        missing=tuple(key for key in day.keys if key not in held),
        _listed=frozenset(day.keys if files else ()),
    )


def _opened(store: Store, day: Day, name: ParquetName) -> Columns | Unreadable:
    try:
        return Columns(day, name, store.get(name.key))
    except Spoiled as exc:
        return spoiled(name.key, exc)
    except (ObjectMissing, StoreDenied) as exc:
        return Unreadable(key=name.key, problem=str(exc))


def spoiled(key: str, why: Spoiled) -> Unreadable:
    """What is said of a Parquet object that is not what was written."""
    what_now = "its outcomes are read from JSON: delete it, and `hitl compact` makes it anew"
    return Unreadable(key=key, problem=f"{why}; {what_now}")


def _merged(one: Iterator[_Read], other: Iterator[_Read]) -> Iterator[_Read]:
    return heapq.merge(one, other, key=itemgetter(0))


def _without_keys(found: Iterator[_Read]) -> Iterator[Outcome[JsonValue] | Unreadable]:
    return (one for _, one in found)


def _read(store: Store, key: str) -> bytes | Unreadable:
    try:
        return store.get(key)
    except (ObjectMissing, StoreDenied) as exc:
        return Unreadable(key=key, problem=str(exc))
    except ConfigError as exc:
        # A key that nobody may write through us is listed all the same: more than 1000 bytes, or no UTF-8, which no
        # report could name as it stands.
        return Unreadable(key=visible(key), problem=str(exc))
