"""What a store's create-if-absent is worth, found out by a race.

Two writes one after the other are not enough: OpenStack Swift and old SeaweedFS refuse the second one, and still let
several of sixteen creators win that start together.
"""

import contextlib
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from hitl_prefect.errors import StoreError
from hitl_prefect.frozen import Frozen
from hitl_prefect.stores.once import OWN, CreateResult, RawStore

__all__ = ["Capability", "probe"]

_FOLLOWS = {
    "atomic": "One writer wins each key: an outcome costs one request, and a different one cannot replace it.",
    "racy": (
        "The condition holds for writes one after the other, not for writes at the same moment: set atomic_create to "
        "false, so that each write is announced first (six requests instead of one)."
    ),
    "ignored": (
        "The store overwrites in spite of the condition, so each write is announced first (six requests instead of "
        "one, with the right to list and to delete below _hitl/)."
    ),
    "unsupported": (
        "The store refuses the condition, so each write is announced first (six requests instead of one, with the "
        "right to list and to delete below _hitl/)."
    ),
}


class Capability(Frozen):
    """What a store's create-if-absent is worth."""

    create: Literal["atomic", "racy", "ignored", "unsupported"]

    @property
    def follows(self) -> str:
        """What that means for the user, in one sentence."""
        return _FOLLOWS[self.create]


def probe(store: RawStore, *, creators: int = 16, keys: int = 3) -> Capability:
    """Race `creators` for each of `keys` new objects below `_hitl/probe/`, and see who won.

    Args:
        store: The store; its objects of the race are deleted afterwards, where that is allowed.
        creators: Threads that start together; at least 2.
        keys: Rounds; a racy store may pass one by luck.

    Raises:
        StoreUnavailable, StoreDenied: As for any write.
    """
    folder = f"{OWN}probe/{uuid.uuid4().hex}"
    rounds = [_one_round(store, f"{folder}/{number}", creators) for number in range(keys)]
    verdicts: Sequence[Literal["unsupported", "ignored", "racy"]] = ("unsupported", "ignored", "racy")
    return Capability(create=next((verdict for verdict in verdicts if verdict in rounds), "atomic"))


def _one_round(store: RawStore, key: str, creators: int) -> Literal["atomic", "racy", "ignored", "unsupported"]:
    try:
        results = _race(store, key, creators)
        if "unsupported" in results:
            return "unsupported"
        if store.create(key, b"late") == "wrote":
            return "ignored"
        # None at all: the winner's acknowledgement was lost, and the SDK asked again.
        return "atomic" if results.count("wrote") <= 1 else "racy"
    finally:
        with contextlib.suppress(StoreError):
            store.discard(key)


def _race(store: RawStore, key: str, creators: int) -> list[CreateResult]:
    start = threading.Barrier(creators)

    def create(number: int) -> CreateResult:
        start.wait()
        return store.create(key, b"creator %d" % number)

    with ThreadPoolExecutor(creators) as pool:
        return list(pool.map(create, range(creators)))
