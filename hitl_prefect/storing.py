"""Store an outcome, as a Prefect task that outlasts a store that is down for a while."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue, ValidationError

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.configured import store_of
from hitl_prefect.errors import CaseForgotten, ObjectMissing, OutcomeConflict
from hitl_prefect.generating import can_help
from hitl_prefect.journal import open_journal
from hitl_prefect.outcomes import Answer, IndexEntry, Outcome, index_key, outcome_key
from hitl_prefect.patience import STORE_S, patiently
from hitl_prefect.protocols import PutResult, PutsTogether, Store
from hitl_prefect.tombstones import Tombstone, forgotten_key

__all__ = [
    "afind_outcome",
    "aput_outcome",
    "asave_outcome",
    "put_outcome",
    "put_outcomes",
    "read_outcome",
    "read_standing",
    "save_outcome",
]


async def asave_outcome(outcome: Outcome[Answer], *, store: str) -> str:
    """Store an outcome; once stored it stays as it is.

    Storing the same outcome again changes nothing. While the store is down the task tries again for two minutes.

    Args:
        outcome: What to keep.
        store: `folder:` path, `s3://` URL, or the name of a saved block.

    Returns:
        The key under which it stands.

    Raises:
        CaseForgotten: If the case was forgotten; nothing is kept of ours.
        OutcomeConflict: If another outcome of the same case already stands there; ours is kept in quarantine.
        StoreError: If the store refused, or stayed down.
    """
    body = outcome.stored
    key = await _store(index_key(outcome.case.task, outcome.case.id), _entry(outcome, body), body, store)
    async with open_journal(outcome.case) as journal:
        # For whoever waits for the flow run to end; `resolve_case` has recorded it before.
        if journal is not None and not journal.holds("outcome"):
            await journal.record("outcome", outcome)
    return key


async def afind_outcome(task_name: str, case_id: str, *, store: str) -> Outcome[JsonValue] | None:
    """The outcome of a case, whenever it was decided; `None` where there is none yet.

    Raises:
        CaseForgotten: If the case was forgotten.
        StoreError: If the store refused, or stayed down; as for `asave_outcome`.
    """
    return await _find(task_name, case_id, store)


def read_outcome(store: Store, task_name: str, case_id: str) -> Outcome[JsonValue] | None:
    """The same without a Prefect task, asked once.

    Raises:
        CaseForgotten: If the case was forgotten.
        StoreError: If the store refused, or is away.
    """
    try:
        entry = IndexEntry.model_validate_json(store.get(index_key(task_name, case_id)))
        stored = store.get(entry.key)
    except ObjectMissing:
        return None
    try:
        return Outcome[JsonValue].model_validate_json(stored)
    except ValidationError:
        _refuse_forgotten(store, entry.key)
        raise


def read_standing(store: Store, task_name: str, case_id: str) -> Outcome[JsonValue]:
    """The outcome of a case that has an index entry, asked once.

    Raises:
        CaseForgotten: If the case was forgotten.
        ObjectMissing: If the outcome that the entry names is not there: it may be being written, or is lost.
        StoreError: If the store refused, or is away.
    """
    if found := read_outcome(store, task_name, case_id):
        return found
    index = index_key(task_name, case_id)
    key = IndexEntry.model_validate_json(store.get(index)).key
    _refuse_forgotten(store, key)
    raise ObjectMissing(
        f"the entry {index!r} in {store.url} names the outcome {key!r}, which is not there: whoever stored it ended in "
        f"between, or it was removed. Retry the flow run that decided case {case_id!r}, or put the outcome back; where "
        "neither can be, delete the entry; then run this again"
    )


def save_outcome(outcome: Outcome[Answer], *, store: str) -> str:
    """The same as `asave_outcome`, for a flow that is not async."""
    return run_coro_as_sync(asave_outcome(outcome, store=store))


_patiently: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": len(STORE_S),
    "retry_delay_seconds": list(STORE_S),
    "retry_condition_fn": can_help,
}
"""A store that is down for a while fails no run."""


async def aput_outcome(outcome: Outcome[Answer], *, store: Store, stored: bytes | None = None) -> PutResult:
    """Store an outcome without a Prefect task, for where there are many; as patient as `asave_outcome`.

    Args:
        outcome: What to keep.
        store: Where.
        stored: Its canonical bytes, where they are known.

    Returns:
        `already` where the very same outcome stands there.

    Raises:
        OutcomeConflict, StoreError: As for `asave_outcome`.
    """
    return await patiently(lambda: asyncio.to_thread(put_outcome, outcome, store=store, stored=stored), STORE_S)


def put_outcome(outcome: Outcome[Answer], *, store: Store, stored: bytes | None = None) -> PutResult:
    """The same, tried once, in this thread."""
    index, body = index_key(outcome.case.task, outcome.case.id), stored or outcome.stored
    return _put(store, index, _entry(outcome, body), body)


def put_outcomes(outcomes: Sequence[tuple[Outcome[Answer], bytes]], *, store: Store) -> list[PutResult | Exception]:
    """`put_outcome` of many with their canonical bytes, together where the store can; one that fails stops no other.

    Returns:
        For each, in the same order, what `put_outcome` returns or raises.
    """
    put = _put_fresh(outcomes, store) if isinstance(store, PutsTogether) else {}
    return [put.get(number) or _tried(one, store) for number, one in enumerate(outcomes)]


def _put_fresh(
    outcomes: Sequence[tuple[Outcome[Answer], bytes]], store: PutsTogether
) -> dict[int, PutResult | Exception]:
    """Of the cases that had no outcome: by their number. All others are looked into one by one."""
    entries = [_entry(outcome, body) for outcome, body in outcomes]
    indices = [index_key(outcome.case.task, outcome.case.id) for outcome, _ in outcomes]
    first = store.put_all([(key, canonical_bytes(entry)) for key, entry in zip(indices, entries, strict=True)])
    fresh = [number for number, result in enumerate(first) if result == "created"]
    return dict(zip(fresh, store.put_all([(entries[one].key, outcomes[one][1]) for one in fresh]), strict=True))


def _tried(one: tuple[Outcome[Answer], bytes], store: Store) -> PutResult | Exception:
    try:
        return put_outcome(one[0], store=store, stored=one[1])
    except Exception as exc:  # noqa: BLE001 - raised to whoever waits for this outcome
        return exc


def _entry(outcome: Outcome[Answer], body: bytes) -> IndexEntry:
    return IndexEntry(key=outcome_key(outcome), sha256=hashlib.sha256(body).hexdigest())


@task(name="find_outcome", **_patiently)
async def _find(task_name: str, case_id: str, store: str) -> Outcome[JsonValue] | None:
    return await asyncio.to_thread(read_outcome, await store_of(store), task_name, case_id)


@task(name="save_outcome", **_patiently)
async def _store(index: str, entry: IndexEntry, body: bytes, store: str) -> str:
    target = await store_of(store)
    done = await asyncio.to_thread(_put, target, index, entry, body)
    get_run_logger().info("%s: %s in %s", entry.key, done, target.url)
    return entry.key


def _put(target: Store, index: str, entry: IndexEntry, body: bytes) -> PutResult:
    """The index first: it has one key per case, whatever the day, and so lets one outcome through."""
    try:
        put = target.put_once(index, canonical_bytes(entry))
    except OutcomeConflict:
        _refuse_forgotten(target, _standing_key(target, index))
        target.put_once(f"quarantine/{entry.key}.{entry.sha256[:16]}", body)
        raise
    if put == "already":
        _refuse_forgotten(target, entry.key)
    return target.put_once(entry.key, body)


def _standing_key(target: Store, index: str) -> str:
    """Of the outcome that a case has; that of the entry itself where somebody has changed it."""
    try:
        return IndexEntry.model_validate_json(target.get(index)).key
    except ValidationError:
        return index


def _refuse_forgotten(target: Store, key: str) -> None:
    """What was forgotten does not come back, neither under its key nor in quarantine."""
    try:
        tombstone = Tombstone.model_validate_json(target.get(forgotten_key(key)))
    except ObjectMissing:
        return
    raise CaseForgotten(
        f"case {tombstone.case!r} of task {tombstone.task!r} was forgotten on {tombstone.forgotten_at:%Y-%m-%d}: give "
        "what comes anew another case id"
    )
