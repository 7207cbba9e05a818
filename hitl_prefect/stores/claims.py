"""Writing once where the store itself cannot: announce, look, write, withdraw.

A store that ignores `If-None-Match` overwrites whatever stands under a key, so looking before writing is not enough:
two writers can look at the same moment. Here each writer first announces itself under a key of its own, below
`_hitl/claims/`, and writes only when it sees no other announcement. Of two writers at least one sees the other, so two
different bodies are never written to one key, and the smaller announcement goes first.

This holds on every store that shows a finished write to the next read and the next listing. Where listings lag behind
(OpenStack Swift), what remains is the time of that lag, for writers of *different* outcomes of one case.

Source:
    Lamport (1974), A new solution of Dijkstra's concurrent programming problem.
"""

import contextlib
import hashlib
import random
import time
import uuid
from collections.abc import Iterator

from hitl_prefect.errors import StoreError, StoreUnavailable
from hitl_prefect.stores.once import OWN, CreateResult, RawStore

__all__ = ["create_announced"]

_ATTEMPTS = 9
_FIRST_PAUSE_S = 0.02
"""Doubled each time, with jitter: 10 s in all, on average."""
_PATIENCE_WITH_THE_SAME = 5
_BODY = b"{}"
"""Not empty: a Ceph gateway without `tcp_nodelay` takes 44 ms for an empty body, and 3 ms for any other."""


def create_announced(store: RawStore, key: str, body: bytes) -> CreateResult:
    """Create `key` unless it is taken, at six requests instead of one.

    Returns:
        `wrote` or `taken`.

    Raises:
        StoreUnavailable: Another writer's announcement stands, and its outcome does not: it is still writing, or
            it died. The message names the announcement.
    """
    folder = f"{OWN}claims/{_digest(key.encode())}/"
    mine, rivals = "", [""]
    for attempt in range(_ATTEMPTS):
        mine = mine or _announce(store, folder, body)
        with _withdrawn_on_error(store, mine):
            rivals = _rivals(store, folder, mine, attempt)
            taken = store.stands(key)
        if taken or not rivals:
            return _wait_for_writer(store, folder, mine) if taken else _write_alone(store, key, body, mine)
        if min(rivals) < mine:
            mine = _withdraw(store, mine)
        _pause(attempt)
    _withdraw(store, mine)
    raise StoreUnavailable(
        f"{key!r} in {store.url} is claimed by another writer of other bytes: try again; "
        f"if no such writer lives any more, delete {rivals[0]!r}"
    )


def _announce(store: RawStore, folder: str, body: bytes) -> str:
    # A new name each time: rclone may go on listing a name that was written and deleted more than once.
    mine = f"{folder}{_digest(body)}.{uuid.uuid4().hex}"
    store.write(mine, _BODY)
    return mine


def _rivals(store: RawStore, folder: str, mine: str, attempt: int) -> list[str]:
    """The other announcements that stand, and are not only still listed.

    One of the same bytes counts for the first 0.6 s only: it may be our own, left by a crash, and cannot do harm.
    """
    ours = mine if attempt < _PATIENCE_WITH_THE_SAME else mine.partition(".")[0]
    others = (claim for claim in store.keys(folder) if not claim.startswith(ours))
    return [claim for claim in others if store.stands(claim)]


def _wait_for_writer(store: RawStore, folder: str, mine: str) -> CreateResult:
    """Wait until whoever wrote is done: rclone shows an object before it is whole."""
    _withdraw(store, mine)
    for attempt in range(_ATTEMPTS - 2):
        if not _rivals(store, folder, mine, attempt=0):
            break
        _pause(attempt)
    return "taken"


def _write_alone(store: RawStore, key: str, body: bytes, mine: str) -> CreateResult:
    # If this raises, the write may still arrive later: the announcement then stays and keeps others out.
    if store.create(key, body) == "unsupported":
        store.write(key, body)
    stands = store.get(key)
    _withdraw(store, mine)
    return "wrote" if stands == body else "taken"


@contextlib.contextmanager
def _withdrawn_on_error(store: RawStore, mine: str) -> Iterator[None]:
    try:
        yield
    except StoreError:
        _withdraw(store, mine)
        raise


def _withdraw(store: RawStore, mine: str) -> str:
    """Withdraw an announcement, where there is one; none is left."""
    # One that cannot be deleted can only keep others out; the outcome is what counts.
    with contextlib.suppress(StoreError):
        if mine:
            store.discard(mine)
    return ""


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0.5, 1.5) * _FIRST_PAUSE_S * 2**attempt)  # noqa: S311 - jitter, not a secret


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
