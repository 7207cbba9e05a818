"""Which cases of a batch have an outcome already: one listing of the store, and a look at those that are ours."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from prefect import get_run_logger
from pydantic import JsonValue

from hitl_prefect.errors import CaseForgotten, ConfigError
from hitl_prefect.many.batch import Batch
from hitl_prefect.many.ledger import State
from hitl_prefect.outcomes import SHIPS, Outcome, case_indexed_by, index_prefix
from hitl_prefect.patience import STORE_S, patiently
from hitl_prefect.storing import read_outcome

__all__ = ["came_to", "find_standing", "pass_over_decided"]

_AT_A_TIME = 500
"""Cases per look into the ledger."""
_READS = 32
"""Outcomes that are read at once."""


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
        if isinstance(one, Outcome):
            _check(batch, place, one)
        if one is not None:
            by_state[came_to(one)].append(place)
    for state, places in by_state.items():
        batch.ledger.settle(places, state)


def came_to(standing: Outcome[JsonValue] | CaseForgotten | None) -> State:
    """What a case has come to that was decided elsewhere; what does not stand any more was forgotten."""
    if not isinstance(standing, Outcome):
        return "forgotten"
    return "decided_before" if standing.decision in SHIPS else "rejected_before"


async def find_standing(batch: Batch, case_id: str) -> Outcome[JsonValue] | CaseForgotten | None:
    """The outcome of a case of the batch's task, or that it was forgotten; `None` where there is none yet.

    Raises:
        StoreError: If the store refused, or stayed down.
    """
    try:
        return await patiently(
            lambda: asyncio.to_thread(read_outcome, batch.target, batch.wanted.task, case_id), STORE_S
        )
    except CaseForgotten as exc:
        get_run_logger().warning("%s", exc)
        return exc


def _check(batch: Batch, place: int, outcome: Outcome[JsonValue]) -> None:
    kept = batch.ledger.read(place)
    if not outcome.case.asks_the_same(kept.case):
        raise ConfigError(
            f"line {kept.number}: case {kept.case.id!r} of task {kept.case.task!r} was decided on "
            f"{outcome.decided_at:%Y-%m-%d} with another prompt: one case has one outcome; give this one another id"
        )
