"""Every S3 store: what goes wrong on the way is either put right or said, and never written over."""

import contextlib
import threading
import time

import pytest

from hitl_prefect.errors import OutcomeConflict, StoreUnavailable
from hitl_prefect.stores import probe

KEY = "outcomes/v1/task=invoices/dt=2026-01-02/c1.json"


def test_a_lost_acknowledgement_is_not_a_conflict(faulty):
    """The SDK asks again and is told 412: the object that stands there is our own."""
    faulty.store.put_once("warm/up.json", b"{}")
    faulty.proxy.lose_acknowledgements()

    assert faulty.store.put_once(KEY, b"ours") in ("created", "already")
    assert [faulty.behind.get(KEY), faulty.behind.keys("quarantine/")] == [b"ours", []]


def test_many_lost_acknowledgements_are_settled_by_the_next_attempt(faulty):
    faulty.store.put_once("warm/up.json", b"{}")
    faulty.proxy.lose_acknowledgements(times=99)
    with contextlib.suppress(StoreUnavailable):
        faulty.store.put_once(KEY, b"ours")
    faulty.proxy.lose_acknowledgements(times=0)

    assert faulty.store.put_once(KEY, b"ours") in ("created", "already")
    assert [faulty.behind.get(KEY), faulty.behind.keys("quarantine/")] == [b"ours", []]


def test_a_store_that_is_down_says_so_soon_and_is_found_again(faulty):
    faulty.store.put_once("warm/up.json", b"{}")
    faulty.proxy.down()
    began = time.monotonic()
    for call in (lambda: faulty.store.put_once(KEY, b"ours"), lambda: faulty.store.get(KEY), faulty.store.keys):
        with pytest.raises(StoreUnavailable, match="try again"):
            call()
    took_s = time.monotonic() - began
    faulty.proxy.up()

    assert took_s < 20
    assert faulty.store.put_once(KEY, b"ours") == "created"


def test_a_store_that_was_never_up_says_so(faulty):
    """The question whether it honours the condition is not answered by silence."""
    faulty.proxy.down()
    with pytest.raises(StoreUnavailable):
        faulty.store.put_once(KEY, b"ours")
    faulty.proxy.up()

    assert faulty.store.put_once(KEY, b"ours") == "created"


def test_a_second_writer_never_replaces_what_a_slow_one_is_writing(faulty):
    """The slow PUT arrives last: it loses on an atomic store, and was announced on any other."""
    faulty.store.put_once("warm/up.json", b"{}")
    slow: list[object] = []

    def write_slowly() -> None:
        try:
            slow.append(faulty.store.put_once(KEY, b"slow"))
        except OutcomeConflict as exc:
            slow.append(type(exc))

    with faulty.proxy.hold(f"/{KEY.rpartition('/')[2]}") as held:
        thread = threading.Thread(target=write_slowly)
        thread.start()
        held.wait_for_arrival()
        fast = _put_or_be_kept_out(faulty.behind)
    thread.join()

    assert (fast, slow) in (("created", [OutcomeConflict]), ("kept out", ["created"]))
    assert faulty.behind.get(KEY) == (b"fast" if fast == "created" else b"slow")


def _put_or_be_kept_out(store):
    try:
        return store.put_once(KEY, b"fast")
    except StoreUnavailable as exc:
        return "kept out" if "_hitl/claims/" in str(exc) else exc


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_a_race_in_flight_is_tried_again(faulty, code):
    """409 does not mean that anything stands there."""
    faulty.store.put_once("warm/up.json", b"{}")
    faulty.proxy.answer(409, code, times=2)

    assert faulty.store.put_once(KEY, b"ours") == "created"


def test_a_race_that_never_ends_is_unavailable(faulty):
    faulty.proxy.answer(409, "OperationAborted", times=4)

    with pytest.raises(StoreUnavailable, match="busy"):
        faulty.store.create(KEY, b"ours")


@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (304, "NotModified"), (409, "Conflict")])
def test_a_taken_key_is_read_back(faulty, status, code):
    """Old MinIO says 304 where others say 412."""
    faulty.store.put_once(KEY, b"ours")
    faulty.proxy.answer(status, code)

    assert faulty.store.put_once(KEY, b"ours") == "already"


def test_a_store_that_refuses_the_condition_still_writes_once(faulty):
    faulty.proxy.answer(501, "NotImplemented", times=99)

    results = [faulty.store.put_once(KEY, b"ours"), faulty.store.put_once(KEY, b"ours")]
    with pytest.raises(OutcomeConflict):
        faulty.store.put_once(KEY, b"theirs")

    assert results == ["created", "already"]
    assert [faulty.behind.get(KEY), len(faulty.behind.keys("quarantine/"))] == [b"ours", 1]


def test_the_probe_tells_a_store_that_refuses_the_condition(faulty):
    faulty.proxy.answer(501, "NotImplemented", times=99)

    assert probe(faulty.store).create == "unsupported"


@pytest.mark.parametrize("faulty", ["moto"], indirect=True)
@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (400, "RequestTimeout")])
def test_a_tired_store_is_tried_again_and_then_unavailable(faulty, status, code):
    faulty.store.put_once("warm/up.json", b"{}")
    faulty.proxy.answer(status, code, times=99)

    with pytest.raises(StoreUnavailable, match=code):
        faulty.store.create(KEY, b"ours")


def test_an_atomic_store_is_asked_once_and_then_costs_one_request(faulty):
    """One request where the condition is honoured, six where it is not."""
    faulty.store.put_once("warm/up.json", b"{}")
    faulty.proxy.requests.clear()
    faulty.store.put_once(KEY, b"ours")
    methods = [method for method, _ in faulty.proxy.requests]

    assert methods in (["PUT"], ["PUT", "GET", "HEAD", "PUT", "GET", "DELETE"])
