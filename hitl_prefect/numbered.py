"""Objects of a task that are written once and never changed, each under the next number, as `000001.json`."""

import re
from collections.abc import Callable

from hitl_prefect.errors import OutcomeConflict
from hitl_prefect.protocols import Store

__all__ = ["TRIES", "newest_number", "numbered_key", "numbered_keys", "numbered_prefix", "put_from"]

TRIES = 5
"""So many writers of one task may end at the same moment."""

_NUMBERED = re.compile(r"([0-9]{6,})\.json")


def numbered_prefix(kind: str, task: str) -> str:
    """How the keys of a task's objects begin, below the store's prefix.

    >>> numbered_prefix("models", "support")
    'models/v1/task=support/'
    """
    return f"{kind}/v1/task={task}/"


def numbered_key(kind: str, task: str, number: int) -> str:
    """Where one is stored, below the store's prefix.

    >>> numbered_key("models", "support", 12)
    'models/v1/task=support/000012.json'
    """
    return f"{numbered_prefix(kind, task)}{number:06d}.json"


def numbered_keys(store: Store, kind: str, task: str) -> dict[int, str]:
    """The keys of a task's objects by their numbers, lowest first; objects that have no number do not count."""
    prefix = numbered_prefix(kind, task)
    found = ((key, _NUMBERED.fullmatch(key.removeprefix(prefix))) for key in store.keys(prefix))
    by_number = {int(one.group(1)): key for key, one in found if one}
    # Somebody may write a number with more zeros: of two such keys the one that we write is listed last, and counts.
    return {number: by_number[number] for number in sorted(by_number) if number > 0}


def newest_number(store: Store, kind: str, task: str) -> int:
    """The number of the newest; 0 where there is none."""
    return max(numbered_keys(store, kind, task), default=0)


def put_from(store: Store, kind: str, task: str, number: int, body: Callable[[int], bytes]) -> int | None:
    """Store an object under a number, or the first one after it that nobody else took meanwhile.

    Args:
        store: Where.
        kind: What it is, as for `numbered_key`.
        task: What it is about.
        number: The first that is tried, of `TRIES`.
        body: Its bytes under a number.

    Returns:
        The number under which it stands; `None` where others took all that were tried.

    Raises:
        StoreError: If the store refused, or is away.
    """
    for free in range(number, number + TRIES):
        try:
            store.put_once(numbered_key(kind, task, free), body(free))
        except OutcomeConflict:
            continue
        return free
    return None
