"""Which cases of a batch have an outcome already: one listing of the store, and a look at those that are ours."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from prefect import get_run_logger
from pydantic import JsonValue

from hitl_prefect.errors import CaseForgotten, ConfigError, ObjectMissing
from hitl_prefect.many.batch import Batch
from hitl_prefect.many.ledger import State
from hitl_prefect.outcomes import SHIPS, Outcome, case_indexed_by, index_prefix
from hitl_prefect.patience import STORE_S, patiently
from hitl_prefect.storing import read_standing

__all__ = ["came_to", "find_standing", "note_lost", "pass_over_decided"]

_AT_A_TIME = 500
"""Cases per look into the ledger."""
_READS = 32
"""Outcomes that are read at once."""
_BEING_WRITTEN_S = (0.5, 2.0)
"""Between looks for an outcome whose index entry is there: whoever stores it writes it a moment later."""


async def pass_over_decided(batch: Batch) -> None:
    """Mark the cases that have an outcome in the store, or had one that was forgotten: nobody is asked about them.

    Raises:
        ConfigError: If one was decided with another prompt.
        StoreError: If the store refused, or stayed down.
    """
    prefix = index_prefix(batch.wanted.task)
    keys = await patiently(lambda: asyncio.to_thread(batch.target.keys, prefix), STORE_S)
    for start in range(0, len(keys), _AT_A_TIME):
        ids = [case_indexed_by(key, batch.wanted.task) for key in keys[start : start + _AT_A_TIME]]
        ours = batch.ledger.undecided(ids)
        for first in range(0, len(ours), _READS):
            await _look(batch, ours[first : first + _READS])


async def _look(batch: Batch, ours: Sequence[tuple[int, str]]) -> None:
    found = await asyncio.gather(*(find_standing(batch, case_id) for _, case_id in ours))
    by_state: dict[State, list[int]] = defaultdict(list)
    for (place, _), one in zip(ours, found, strict=True):
        if isinstance(one, ObjectMissing):
            note_lost(batch, place, one)
            continue
        if isinstance(one, Outcome):
            _check(batch, place, one)
        by_state[came_to(one)].append(place)
    for state, places in by_state.items():
        batch.ledger.settle(places, state)


def came_to(standing: Outcome[JsonValue] | CaseForgotten) -> State:
    """What a case has come to that was decided elsewhere."""
    if isinstance(standing, CaseForgotten):
        return "forgotten"
    return "decided_before" if standing.decision in SHIPS else "rejected_before"


def note_lost(batch: Batch, place: int, lost: ObjectMissing) -> None:
    """Say in the ledger that a case failed, since nobody knows what it has come to; the next run looks again."""
    batch.ledger.settle([place], "failed", f"{type(lost).__name__}: {lost}")


async def find_standing(batch: Batch, case_id: str) -> Outcome[JsonValue] | CaseForgotten | ObjectMissing:
    """The outcome of a case that has an index entry, that it was forgotten, or that its outcome is lost.

    Raises:
        StoreError: If the store refused, or stayed down.
    """
    for pause_s in _BEING_WRITTEN_S:
        found = await _read(batch, case_id)
        if not isinstance(found, ObjectMissing):
            return found
        await asyncio.sleep(pause_s)
    return await _read(batch, case_id)


async def _read(batch: Batch, case_id: str) -> Outcome[JsonValue] | CaseForgotten | ObjectMissing:
    try:
        return await patiently(
            lambda: asyncio.to_thread(read_standing, batch.target, batch.wanted.task, case_id), STORE_S
        )
    except CaseForgotten as exc:
        get_run_logger().warning("%s", exc)
        return exc
    except ObjectMissing as exc:
        return exc


def _check(batch: Batch, place: int, outcome: Outcome[JsonValue]) -> None:
    kept = batch.ledger.read(place)
    if not outcome.case.asks_the_same(kept.case):
        raise ConfigError(
            f"line {kept.number}: case {kept.case.id!r} of task {kept.case.task!r} was decided on "
            f"{outcome.decided_at:%Y-%m-%d} with another prompt: one case has one outcome; give this one another id"
        )
