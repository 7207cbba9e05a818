"""Seal the outcomes of past days: name them by their sha256 in manifests, so that `hitl verify` finds any change.

Safe to run twice, and at the same time: whoever comes second takes the next number, for what is not sealed yet.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from hitl_prefect.days import Day, days_of
from hitl_prefect.errors import ConfigError, OutcomeConflict, StoreError
from hitl_prefect.frozen import Frozen
from hitl_prefect.manifests import Link, Manifest, SealedObject, read_chain
from hitl_prefect.models import TaskName
from hitl_prefect.outcomes import outcome_prefix
from hitl_prefect.protocols import Store
from hitl_prefect.reading import Unreadable, read_stored

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Sealed", "Sealing", "seal"]

_AT_MOST = 10_000
"""Outcomes of one manifest: 2 MB of it, and some 10 MB while it is read."""
_GRACE = timedelta(hours=1)
"""A day is sealed once it is over for so long: an outcome whose store was away for a moment is not late yet."""
_TASK = TypeAdapter[str](TaskName)
_TRIES = 5
"""As many sealers of one task at the same moment as nobody schedules."""


class Sealed(Frozen):
    """One manifest that was written, or would be."""

    task: str
    day: str
    """As ISO 8601."""
    outcomes: int
    late: bool
    """Whether its day, or a later one, was sealed before."""
    key: str | None = None
    """Where it stands; `None` where nothing was written."""
    sha256: str | None = None
    """Of its bytes. Kept outside the store it proves later that the ledger was not cut off behind it."""


class Sealing(Frozen):
    """What was sealed."""

    manifests: tuple[Sealed, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    """Outcomes that were not sealed, since nobody could read them, and folders that are of no task."""


def seal(
    store: Store,
    *,
    task: str | None = None,
    key: "Ed25519PrivateKey | None" = None,
    dry_run: bool = False,
    today: str | None = None,
) -> Sealing:
    """Name every outcome of past days that no manifest names yet.

    Args:
        store: Where the outcomes are.
        task: Only those of one task.
        key: Signs the manifests.
        dry_run: Only say what would be sealed.
        today: The first day that is left alone, as ISO 8601; if empty, today in UTC, and until one in the morning
            yesterday too.

    Raises:
        ConfigError: If the ledger is signed, and no key is given.
        StoreError: If the store is down, or lets nobody list or write; or if a ledger is not as it was written, after
            those of all other tasks were gone on with.
    """
    until = today or (datetime.now(UTC) - _GRACE).strftime("%Y-%m-%d")
    sealed, unreadable, broken = list[Sealed](), list[Unreadable](), list[StoreError]()
    for name, days in groupby(days_of(store, task), key=lambda day: day.task):
        over = [day for day in days if day.date is not None and day.date < until]
        if not name or not over:
            continue
        if not _is_task(name):
            unreadable.append(_stray(name))
            continue
        try:
            sealed += _Chain(store, name, key, unreadable).seal(over, dry_run=dry_run)
        except _Broken as exc:
            broken.append(exc)
    if broken:
        raise StoreError("; ".join(map(str, broken)))
    return Sealing(manifests=tuple(sealed), unreadable=tuple(unreadable))


class _Broken(StoreError):
    """The ledger of one task is not as it was written."""


class _Chain:
    """The chain of one task, and what it names already."""

    def __init__(self, store: Store, task: str, key: "Ed25519PrivateKey | None", unreadable: list[Unreadable]) -> None:
        self.store, self.task, self.key, self.unreadable = store, task, key, unreadable
        self._read()

    def seal(self, days: Sequence[Day], *, dry_run: bool) -> Iterator[Sealed]:
        """Seal some days, oldest first."""
        for day in days:
            missing = [key for key in sorted((*day.keys, *day.forgotten)) if key not in self._named]
            late = str(day.date) <= self._newest_day
            if dry_run and missing:
                yield Sealed(task=self.task, day=str(day.date), outcomes=len(missing), late=late)
                continue
            for start in range(0, len(missing), _AT_MOST):
                objects = tuple(self._objects(missing[start : start + _AT_MOST]))
                if manifest := self._append(str(day.date), objects, late=late):
                    yield _told(manifest)

    def _read(self) -> None:
        self._named, self._number, self._newest_day = set[str](), 0, ""
        self._head: str | None = None
        self._is_signed = False
        for link in read_chain(self.store, self.task):
            self._grow(_sound(self.store, link))
        if self._is_signed and self.key is None:
            raise ConfigError(f"the ledger of task {self.task!r} is signed: seal it with a key (--key NAME)")

    def _objects(self, keys: Sequence[str]) -> Iterator[SealedObject]:
        for key, stored in read_stored(self.store, keys):
            if isinstance(stored, Unreadable):
                self.unreadable.append(stored)
            else:
                yield SealedObject(key=key, sha256=hashlib.sha256(stored).hexdigest(), size_bytes=len(stored))

    def _append(self, day: str, objects: tuple[SealedObject, ...], *, late: bool) -> Manifest | None:
        """Write one manifest; where somebody else writes one meanwhile, the next, of what theirs does not name."""
        tries_left = _TRIES
        while True:
            objects = tuple(one for one in objects if one.key not in self._named)
            if not objects:
                return None
            manifest = self._next(day, objects, late=late)
            try:
                self.store.put_once(manifest.key, manifest.stored)
            except OutcomeConflict:
                tries_left -= 1
                if not tries_left:
                    raise
                self._read()
                continue
            self._grow(manifest)
            return manifest

    def _next(self, day: str, objects: tuple[SealedObject, ...], *, late: bool) -> Manifest:
        place = {"number": self._number + 1, "previous": self._head}
        return Manifest(task=self.task, day=day, late=late, objects=objects, **place).signed_with(self.key)

    def _grow(self, manifest: Manifest) -> None:
        self._named.update(one.key for one in manifest.objects)
        self._newest_day = max(self._newest_day, manifest.day)
        self._number, self._head = manifest.number, manifest.sha256
        self._is_signed = manifest.signature is not None


def _is_task(name: str) -> bool:
    try:
        return bool(_TASK.validate_python(name))
    except ValidationError:
        return False


def _stray(name: str) -> Unreadable:
    problem = f"{name!r} is no name of a task: something else put it there, and nothing of it is sealed"
    return Unreadable(key=outcome_prefix(name), problem=problem)


def _told(manifest: Manifest) -> Sealed:
    return Sealed(
        task=manifest.task,
        day=manifest.day,
        outcomes=len(manifest.objects),
        late=manifest.late,
        key=manifest.key,
        sha256=manifest.sha256,
    )


def _sound(store: Store, link: Link) -> Manifest:
    """The manifest of a link; sealing upon a chain that was changed would cover up for the change."""
    if link.manifest is None or link.problems:
        raise _Broken(
            f"{link.key!r} in {store.url}: {'; '.join(link.problems)}; nothing of its task was sealed: `hitl verify` "
            "names what else was changed; put back what was written, from a backup or a version of the bucket"
        )
    return link.manifest
