"""Every store: an object, once written, stays as it is."""

import hashlib
import pickle

import pytest

from hitl_prefect.errors import ConfigError, ObjectMissing, OutcomeConflict
from hitl_prefect.protocols import Store
from hitl_prefect.stores import Capability, probe, store_for

KEY = "outcomes/v1/task=invoices/dt=2026-01-02/c1.json"
OURS, THEIRS = b'{"final_answer":"ours"}', b'{"final_answer":"theirs"}'
QUARANTINED = f"quarantine/{KEY}.{hashlib.sha256(THEIRS).hexdigest()[:16]}"


def test_it_is_a_store(target):
    assert isinstance(target.store(), Store)


def test_the_same_bytes_are_written_once(target):
    store = target.store()

    assert [store.put_once(KEY, OURS), store.put_once(KEY, OURS), store.keys()] == ["created", "already", [KEY]]


def test_other_bytes_are_quarantined_and_nothing_is_overwritten(target):
    store = target.store()
    store.put_once(KEY, OURS)

    with pytest.raises(OutcomeConflict) as raised:
        store.put_once(KEY, THEIRS)

    assert [(key, store.get(key)) for key in store.keys("")] == [(KEY, OURS), (QUARANTINED, THEIRS)]
    assert KEY in str(raised.value)
    assert QUARANTINED in str(raised.value)


def test_a_conflict_met_twice_is_quarantined_once(target):
    """A retried task meets the same conflict again, and leaves nothing new behind."""
    store = target.store()
    store.put_once(KEY, OURS)
    for _ in range(2):
        with pytest.raises(OutcomeConflict):
            store.put_once(KEY, THEIRS)

    assert store.keys() == [KEY, QUARANTINED]


def test_another_process_sees_the_same_objects(target):
    """A pickled store opens its own connections."""
    store = target.store()
    store.put_once(KEY, OURS)
    copy = pickle.loads(pickle.dumps(store))

    assert copy.put_once(KEY, OURS) == "already"
    getattr(copy, "close", lambda: None)()


def test_a_missing_object_is_missing(target):
    with pytest.raises(ObjectMissing, match=r"outcomes/none\.json"):
        target.store().get("outcomes/none.json")


@pytest.mark.parametrize("body", [b"", "Zürich, 東京, \N{PARTY POPPER}".encode(), b"\x00\xff" * 1024 * 1024])
def test_bodies_come_back_to_the_byte(target, body):
    """Nothing, UTF-8 beyond ASCII, and 2 MB that is no text at all."""
    store = target.store()
    store.put_once(KEY, body)

    assert store.get(KEY) == body


@pytest.mark.parametrize(
    "key", ["a b/c+d=e&f.json", "100%/%20%2F.json", "Zürich/東京.json", "q?x#y;z,~!'()*[]{}<>|^`$@:.json"]
)
def test_odd_names_come_back_as_they_went(target, key):
    """Percent signs, spaces and letters beyond ASCII are not decoded once too often."""
    store = target.store()
    store.put_once(key, OURS)

    assert [store.keys(), store.get(key)] == [[key], OURS]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "a/../b", "..", "a//b", "a/", "a\\b", "a\nb", ".hidden", "a/.b", "x" * 999]
)
def test_unsafe_names_are_refused(target, key):
    with pytest.raises(ConfigError, match="is not safe"):
        target.store().put_once(key, OURS)


@pytest.mark.parametrize("prefix", ["..", "../", "/", "a/../../b"])
def test_a_listing_does_not_leave_the_store(target, prefix):
    with pytest.raises(ConfigError, match="is not safe"):
        target.store().keys(prefix)


def test_keys_are_listed_by_prefix_and_sorted(target):
    store = target.store()
    for key in ("b/2.json", "b/1.json", "a/1.json", "b1.json"):
        store.put_once(key, OURS)

    listed = [store.keys(prefix) for prefix in ("", "b", "b/", "b/2", "none/")]

    assert listed == [
        ["a/1.json", "b/1.json", "b/2.json", "b1.json"],
        ["b/1.json", "b/2.json", "b1.json"],
        ["b/1.json", "b/2.json"],
        ["b/2.json"],
        [],
    ]


def test_only_our_own_bookkeeping_can_be_deleted(target):
    store = target.store()
    store.put_once(KEY, OURS)

    with pytest.raises(ConfigError, match="never deleted"):
        store.discard(KEY)

    assert store.get(KEY) == OURS


def test_the_probe_knows_the_store(target):
    """It leaves nothing behind; rclone may go on listing a name, but nothing stands there."""
    store = target.store()

    assert probe(store) == Capability(create=target.create)
    for key in store.keys("_hitl/probe/"):
        with pytest.raises(ObjectMissing):
            store.get(key)


def test_the_url_leads_back_to_the_store(target, monkeypatch):
    """Keys come from the environment, and nowhere else."""
    store = target.store()
    store.put_once(KEY, OURS)
    for name, value in (target.server.env if target.server else {}).items():
        monkeypatch.setenv(name, value)

    again = store_for(store.url)

    assert [again.url, again.get(KEY)] == [store.url, OURS]
    getattr(again, "close", lambda: None)()
