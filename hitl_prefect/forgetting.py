"""Forget a case on request: a tombstone in place of its outcome, and nothing of what was said in it.

First the tombstone is written beside the outcome, then in its place, then all else goes. Broken off anywhere, the same
call goes on. A flow that compacts at the same time sees the tombstone, or its Parquet is seen here.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from hitl_prefect.days import Day
from hitl_prefect.errors import ObjectMissing, StoreDenied
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import CaseId, TaskName
from hitl_prefect.outcomes import IndexEntry, index_key, outcome_prefix
from hitl_prefect.protocols import Erasable, Store, erasable
from hitl_prefect.tombstones import Tombstone, forgotten_key, tombstone_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Forgetting", "Wish", "forget"]

_SHARED = ("batches/v1/", "clusters/v1/", "examples/v1/")
"""Objects that hold several cases."""


class Wish(Frozen):
    """Which case somebody wants forgotten, and why."""

    task: TaskName
    case: CaseId
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    """It is kept: name a ticket, not a person."""
    at: AwareDatetime


class Forgetting(Frozen):
    """What was forgotten, or would be."""

    tombstone: Tombstone
    erased: tuple[str, ...]
    """Keys of what is gone; in place of the outcome stands the tombstone."""
    locked: tuple[str, ...] = ()
    """Keys of which versions stay, since a lock of the bucket holds them, or the store's keys may not delete them."""
    shared: tuple[str, ...] = ()
    """Keys of objects that name the case beside others, and stay: people decide what becomes of them."""


def forget(
    store: Store,
    wish: Wish,
    *,
    key: "Ed25519PrivateKey | None" = None,
    bypass_governance: bool = False,
    dry_run: bool = False,
) -> Forgetting:
    """Forget a case that has an outcome. Safe to run twice.

    Args:
        store: Where the outcome is.
        wish: Which one, and why.
        key: Signs the tombstone; also one that stands already, unsigned.
        bypass_governance: Also delete what a lock in governance mode holds, where the store's keys may do that.
        dry_run: Only say what would be done.

    Raises:
        ConfigError: If the store cannot forget.
        ObjectMissing: If the case has no outcome.
        StoreError: If the store is down, or lets nobody write or delete; what was begun is finished by the next call.
    """
    entry, eraser = _entry(store, wish), erasable(store)
    tombstone = _tombstone(store, entry, wish, key)
    found = (entry.key, *_copies(store, entry.key), *_others(store, wish))
    shared = tuple(_shared(store, wish))
    if dry_run:
        return Forgetting(tombstone=tombstone, erased=found, shared=shared)
    _put_beside(store, eraser, tombstone, bypass_governance)
    locked = tuple(_erased(eraser, entry.key, tombstone, store, wish, bypass_governance))
    return Forgetting(tombstone=tombstone, erased=found, locked=locked, shared=shared)


def _put_beside(store: Store, eraser: Erasable, tombstone: Tombstone, bypass_governance: bool) -> None:
    """Write it beside the outcome; what stands there unsigned is replaced by the same one, signed."""
    beside = forgotten_key(tombstone.key)
    if tombstone.signature is None or not _stands_unsigned(store, beside):
        store.put_once(beside, tombstone.stored)
        return
    # An older version that a lock holds says nothing but the same.
    eraser.erase(beside, leaving=tombstone.stored, bypass_governance=bypass_governance)


def _stands_unsigned(store: Store, beside: str) -> bool:
    try:
        return Tombstone.model_validate_json(store.get(beside)).signature is None
    except ObjectMissing:
        return False


def _erased(
    eraser: Erasable, key: str, tombstone: Tombstone, store: Store, wish: Wish, bypass_governance: bool
) -> Iterator[str]:
    if eraser.erase(key, leaving=tombstone.stored, bypass_governance=bypass_governance):
        yield key
    # Listed once the tombstone stands: what a reader copies from now on it takes back itself.
    for copy in (*_copies(store, key), *_others(store, wish)):
        if eraser.erase(copy, bypass_governance=bypass_governance):
            yield copy


def _entry(store: Store, wish: Wish) -> IndexEntry:
    try:
        return IndexEntry.model_validate_json(store.get(index_key(wish.task, wish.case)))
    except ObjectMissing:
        raise ObjectMissing(
            f"case {wish.case!r} of task {wish.task!r} has no outcome in {store.url}: nothing was forgotten; if it "
            "waits for a person, cancel and delete its flow run"
        ) from None


def _tombstone(store: Store, entry: IndexEntry, wish: Wish, key: "Ed25519PrivateKey | None") -> Tombstone:
    """The one that stands already, where forgetting was begun before; else a new one."""
    try:
        return _signed(Tombstone.model_validate_json(store.get(forgotten_key(entry.key))), entry, wish, key)
    except ObjectMissing:
        pass
    body = store.get(entry.key)
    if standing := tombstone_of(body):
        return _signed(standing, entry, wish, key)
    return Tombstone(
        task=wish.task,
        case=wish.case,
        key=entry.key,
        outcome_sha256=hashlib.sha256(body).hexdigest(),
        flow_run_id=_flow_run_id(body, entry.key),
        forgotten_at=wish.at,
        by=wish.by,
        reason=wish.reason,
    ).signed_with(key)


def _signed(standing: Tombstone, entry: IndexEntry, wish: Wish, key: "Ed25519PrivateKey | None") -> Tombstone:
    """Signed now, if it was not; nobody signs what somebody else has put there to hide another outcome."""
    if key is None or standing.signature is not None:
        return standing
    about = (standing.task, standing.case, standing.key, standing.outcome_sha256)
    if about != (wish.task, wish.case, entry.key, entry.sha256):
        raise StoreDenied(
            f"the tombstone of {entry.key!r} names another outcome than its index entry, and so is not signed: "
            "`hitl verify` says what stands there; delete the tombstone by hand and run this again"
        )
    return standing.signed_with(key)


def _flow_run_id(body: bytes, key: str) -> str | None:
    """Also of an outcome that an older or newer release wrote."""
    try:
        stored = json.loads(body)
    except ValueError:
        raise StoreDenied(f"{key!r} is no outcome: look at it, and delete it by hand") from None
    found = stored.get("flow_run_id") if isinstance(stored, dict) else None
    return found if isinstance(found, str) else None


def _copies(store: Store, key: str) -> list[str]:
    """The Parquet of its day, which the next `hitl compact` makes anew without it."""
    folder = key.removeprefix(outcome_prefix()).rpartition("/")[0]
    return store.keys(Day(folder).parquet_prefix)


def _others(store: Store, wish: Wish) -> list[str]:
    """What stands in the store of this case alone: reviews that were too large for Prefect, and what was refused."""
    case, task = re.escape(wish.case), re.escape(wish.task)
    draft = rf"drafts/v1/task={task}/{case}-[0-9a-f]{{16}}\.json"
    outcome = rf"outcomes/v1/task={task}/dt=[^/]+/{case}\.json"
    entry = rf"cases/v1/task={task}/{case}\.json"
    refused = rf"quarantine/(?:{draft}|{outcome}|{entry})(?:\.[0-9a-f]{{16}})+"
    ours = re.compile(f"{draft}|{refused}")
    listed = (*store.keys(f"drafts/v1/task={wish.task}/"), *store.keys("quarantine/"))
    return [key for key in listed if ours.fullmatch(key)]


def _shared(store: Store, wish: Wish) -> Iterator[str]:
    named, of_task = json.dumps(wish.case).encode(), f"task={wish.task}/"
    for prefix in _SHARED:
        for key in store.keys(prefix):
            if (of_task in key or "task=" not in key) and named in store.get(key):
                yield key
