"""The outcomes of a store, one after the other: tens of thousands of them, of which a few are in memory at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pydantic import JsonValue

from hitl_prefect.answers import problems_of
from hitl_prefect.errors import ObjectMissing, StoreDenied
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import Outcome, outcome_prefix
from hitl_prefect.protocols import Store

__all__ = ["Unreadable", "read_outcomes"]

_AT_ONCE = 16
"""Reading from a bucket is mostly waiting."""
_CHUNK = 128


class Unreadable(Frozen):
    """An object among the outcomes that is none."""

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
    keys = store.keys(outcome_prefix(task))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(keys), _CHUNK):
            yield from pool.map(lambda key: _read(store, key), keys[start : start + _CHUNK])


def _read(store: Store, key: str) -> Outcome[JsonValue] | Unreadable:
    try:
        return Outcome[JsonValue].model_validate_json(store.get(key))
    except (ObjectMissing, StoreDenied) as exc:
        return Unreadable(key=key, problem=str(exc))
    except ValueError as exc:
        # Of what is no JSON at all the problem is with the object, not with an answer in it.
        return Unreadable(key=key, problem="; ".join(problems_of(exc)[:3]).removeprefix("answer: "))
