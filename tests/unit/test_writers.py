import asyncio
import threading
from typing import ClassVar

import pytest

from hitl_prefect.errors import OutcomeConflict
from hitl_prefect.many.ledger import Kept
from hitl_prefect.many.writers import Writers
from hitl_prefect.outcomes import CaseRecord
from hitl_prefect.stores.folder import FolderStore
from tests.unit.making import a_case, an_outcome


def kept(name, **changes):
    case = a_case(id=name)
    outcome = an_outcome(case=CaseRecord.of(case), **changes)
    return Kept(place=1, number=1, case=case, draft=None, attempt=None, outcome=outcome, stored=outcome.stored)


class OneByOne:
    """A store that gains nothing by several objects, and takes none before it is let go on."""

    writers = 2

    def __init__(self, store):
        self.store = store
        self.begun, self.goes_on = threading.Semaphore(0), threading.Event()

    def put_once(self, key, body):
        self.begun.release()
        assert self.goes_on.wait(10)
        return self.store.put_once(key, body)

    def __getattr__(self, name):
        if name == "put_all":
            raise AttributeError(name)
        return getattr(self.store, name)


async def all_put(store, *several):
    with Writers(store) as writers:
        return await asyncio.gather(*(writers.put(one) for one in several), return_exceptions=True)


async def test_many_outcomes_are_written_each_once(tmp_path):
    """Two files for each: the outcome, and the index that lets one through."""
    store = FolderStore(tmp_path)

    came = await all_put(store, *(kept(f"c{number}") for number in range(100)))

    assert came == ["created"] * 100
    assert len(store.keys("outcomes/")) == len(store.keys("cases/")) == 100


async def test_one_after_the_other_is_written_however_soon_it_comes(tmp_path):
    """Whoever hears that an outcome stands may bring the next one before the writer of the first has gone."""
    with Writers(FolderStore(tmp_path)) as writers:
        async with asyncio.timeout(10):
            came = [await writers.put(kept(f"c{number}")) for number in range(3)]

    assert came == ["created"] * 3


async def test_one_that_is_refused_stops_none_of_the_others(tmp_path):
    store = FolderStore(tmp_path)
    await all_put(store, kept("c1"))
    other = kept("c1", decision="reject", final_answer=None, decided_by="human")

    came = await all_put(store, kept("c0"), other, kept("c2"))

    assert [came[0], came[2]] == ["created", "created"]
    assert isinstance(came[1], OutcomeConflict)


async def test_an_error_that_nobody_foresaw_reaches_whoever_waits(tmp_path):
    """Nobody waits for ever."""
    broken = kept("c1")._replace(outcome=None)

    came = await asyncio.wait_for(all_put(FolderStore(tmp_path), broken), timeout=10)

    assert isinstance(came[0], AssertionError)


@pytest.mark.parametrize(("writers", "most"), [(1, 1), (4, 4)])
async def test_no_more_threads_write_than_the_store_gains_by(tmp_path, writers, most):
    class Watched(FolderStore):
        threads: ClassVar[set[int]] = set()

        @property
        def writers(self):
            return writers

        def put_all(self, objects):
            self.threads.add(threading.get_ident())
            return super().put_all(objects)

    await all_put(Watched(tmp_path), *(kept(f"c{number}") for number in range(40)))

    assert len(Watched.threads) == most


async def test_who_is_cancelled_waits_for_one_outcome_of_each_thread(tmp_path):
    """At a store that takes one object at a time, and may be slow."""
    store = OneByOne(FolderStore(tmp_path))
    with Writers(store) as writers:
        under_way = asyncio.gather(*(writers.put(kept(f"c{number}")) for number in range(20)))
        for _ in range(store.writers):
            await asyncio.to_thread(store.begun.acquire)
        under_way.cancel()
        store.goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await under_way

    assert len(store.keys("outcomes/")) == 2
