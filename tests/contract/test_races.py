"""Every store: of many writers that start together, one writes."""

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from hitl_prefect.errors import OutcomeConflict, StoreUnavailable
from hitl_prefect.protocols import Store
from hitl_prefect.stores.once import quarantine_key

KEY = "outcomes/v1/task=invoices/dt=2026-01-02/c1.json"
WRITERS = 16
TRIES = 20

of_real_stores = pytest.mark.parametrize(
    "target", ["folder", "ceph", "ceph_tls", "rclone", "rclone_tls"], indirect=True
)
"""Not of moto, an imitation in threads: between its look at a condition and its write another may write."""


def put(store: Store, body: bytes) -> str:
    """As `save_outcome` does: again where the store says that this can help, as it may where 16 writers announce."""
    for _ in range(TRIES):
        try:
            return store.put_once(KEY, body)
        except OutcomeConflict:
            return "conflict"
        except StoreUnavailable:
            time.sleep(0.2)
    return "unavailable"


def race(stores: Sequence[Store], bodies: Sequence[bytes]) -> list[str]:
    start = threading.Barrier(len(bodies))

    def writer(number: int) -> str:
        start.wait()
        return put(stores[number % len(stores)], bodies[number])

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(writer, range(len(bodies))))


@of_real_stores
def test_racing_writers_of_the_same_bytes_all_succeed(target):
    """On a store that overwrites, more than one may write the same bytes; none fails."""
    stores = [target.store() for _ in range(2)]

    results = race(stores, [b"same"] * WRITERS)

    assert set(results) <= {"created", "already"}
    assert results.count("created") == 1 or target.create != "atomic"
    assert [stores[0].get(KEY), stores[0].keys()] == [b"same", [KEY]]


@of_real_stores
def test_of_racing_writers_of_different_bytes_one_stands_and_all_are_kept(target):
    """Also on a store that ignores the condition: there, each write is announced first."""
    stores = [target.store() for _ in range(2)]
    bodies = [b"writer %d" % number for number in range(WRITERS)]

    results = race(stores, bodies)

    assert Counter(results) == {"created": 1, "conflict": WRITERS - 1}
    winner = results.index("created")
    losers = {quarantine_key(KEY, body): body for body in bodies if body != bodies[winner]}
    stored = [(key, stores[0].get(key)) for key in stores[0].keys("")]
    assert stored == sorted({KEY: bodies[winner], **losers}.items())
    assert stores[0].keys("_hitl/claims/") == []


@of_real_stores
def test_of_racing_processes_one_writes(target):
    store = target.store()
    bodies = [b"process %d" % number for number in range(3)]

    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(put, [store] * 3, bodies))

    assert Counter(results) == {"created": 1, "conflict": 2}
    assert store.get(KEY) == bodies[results.index("created")]
