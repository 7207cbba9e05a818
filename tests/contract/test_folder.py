"""The folder store: files appear whole or not at all, and what the file system says is translated."""

import errno
import hashlib
import os
import resource
import signal
import threading

import pytest

from hitl_prefect.errors import ConfigError, ObjectMissing, OutcomeConflict, StoreDenied, StoreUnavailable
from hitl_prefect.stores import FolderStore
from hitl_prefect.stores.claims import create_announced
from hitl_prefect.stores.once import check_key, quarantine_key


def test_no_file_is_ever_seen_half_written(tmp_path):
    """A reader that looks all the time sees nothing, or all 4 MB."""
    store, body, seen, done = FolderStore(tmp_path), b"x" * 4_000_000, set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                seen.add(len(store.get("outcomes/c1.json")))
            except ObjectMissing:
                seen.add(0)

    reader = threading.Thread(target=look)
    reader.start()
    store.put_once("outcomes/c1.json", body)
    done.set()
    reader.join()

    assert seen <= {0, len(body)}


def test_nothing_temporary_stays_or_is_listed(tmp_path):
    (tmp_path / "outcomes").mkdir()
    (tmp_path / "outcomes/.left-by-a-crash.tmp").write_bytes(b"half")
    store = FolderStore(tmp_path)
    store.put_once("outcomes/c1.json", b"{}")

    assert store.keys() == ["outcomes/c1.json"]
    assert sorted(path.name for path in (tmp_path / "outcomes").iterdir()) == [".left-by-a-crash.tmp", "c1.json"]


def test_many_are_put_as_each_alone_would_be(tmp_path):
    """One stands there already, one conflicts, one key is unsafe: the others are created."""
    store = FolderStore(tmp_path)
    store.put_once("outcomes/same.json", b"same")
    store.put_once("outcomes/other.json", b"other")
    wanted = {
        "a/1.json": b"1",
        "outcomes/same.json": b"same",
        "outcomes/other.json": b"!",
        "../x": b"x",
        "b/2.json": b"2",
    }

    came = store.put_all(list(wanted.items()))

    assert [one if isinstance(one, str) else type(one) for one in came] == [
        "created",
        "already",
        OutcomeConflict,
        ConfigError,
        "created",
    ]
    assert store.keys() == [
        "a/1.json",
        "b/2.json",
        "outcomes/other.json",
        "outcomes/same.json",
        quarantine_key("outcomes/other.json", b"!"),
    ]
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_same_key_twice_in_one_go_is_written_once(tmp_path):
    store = FolderStore(tmp_path)

    came = store.put_all([("c1.json", b"1"), ("c1.json", b"1"), ("c1.json", b"2")])

    assert came[:2] == ["created", "already"]
    assert isinstance(came[2], OutcomeConflict)
    assert store.get("c1.json") == b"1"


def test_a_key_that_quarantine_could_not_hold_is_refused_among_many_too(tmp_path):
    """1,000 bytes hold it, and not it with what quarantine adds."""
    store, key = FolderStore(tmp_path), "/".join(["n" * 90] * 11)

    came = store.put_all([(key, b"{}"), ("c1.json", b"{}")])

    assert [type(came[0]), came[1]] == [ConfigError, "created"]
    assert store.keys() == ["c1.json"]


def test_nothing_to_put_is_nothing(tmp_path):
    assert FolderStore(tmp_path / "absent").put_all([]) == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, key: store.get(key),
        lambda store, key: store.stands(key),
        lambda store, key: store.write(key, b"{}"),
        lambda store, key: store.put_once(key, b"{}"),
        lambda store, key: store.discard(key),
        lambda store, key: store.erase(key),
    ],
    ids=["get", "stands", "write", "put_once", "discard", "erase"],
)
def test_what_the_file_system_refuses_is_named(tmp_path, ask):
    """Here a name that is too long for it."""
    key = f"_hitl/{'n' * 300}"
    (tmp_path / "_hitl").mkdir()

    with pytest.raises(StoreDenied, match=f"'{key}' in folder:"):
        ask(FolderStore(tmp_path), key)


def test_a_full_disk_refuses_what_does_not_fit(tmp_path):
    """A limit on the size of files stands in for the disk: what fits is stored, and nothing temporary stays."""
    store, before = FolderStore(tmp_path), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        came = store.put_all([("small.json", b"{}"), ("large.json", b"x" * 100_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)

    assert [came[0], type(came[1])] == ["created", StoreUnavailable]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["small.json"]


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """A limit on the size of files stands in for the disk: it says the same at the same place."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreUnavailable, match="File too large"):
            FolderStore(tmp_path).put_once("outcomes/c1.json", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_key_below_another_key_is_denied(tmp_path):
    store = FolderStore(tmp_path)
    store.put_once("a", b"{}")

    with pytest.raises(StoreDenied, match="a/b"):
        store.put_once("a/b", b"{}")


def test_a_folder_of_somebody_else_is_denied(tmp_path, request):
    """Root may write everywhere, and so becomes nobody for a moment."""
    tmp_path.chmod(0o500)
    if os.geteuid() == 0:
        os.seteuid(65534)
        request.addfinalizer(lambda: os.seteuid(0))

    with pytest.raises(StoreDenied, match="no permission"):
        FolderStore(tmp_path).put_once("a.json", b"{}")


def test_a_folder_that_cannot_be_read_fails_a_listing_instead_of_shortening_it(tmp_path, request):
    """Whoever counts outcomes must not count fewer than there are."""
    store = FolderStore(tmp_path)
    store.put_once("outcomes/c1.json", b"{}")
    (tmp_path / "outcomes").chmod(0o000)
    if os.geteuid() == 0:
        os.seteuid(65534)
        request.addfinalizer(lambda: os.seteuid(0))

    with pytest.raises(StoreDenied, match="no permission for 'outcomes/'"):
        store.keys("outcomes/")


def test_what_is_gone_already_can_be_discarded(tmp_path):
    """Two processes may withdraw the same claim."""
    store = FolderStore(tmp_path)
    store.write("_hitl/claims/mine", b"{}")
    store.discard("_hitl/claims/mine")
    store.discard("_hitl/claims/mine")

    assert store.keys("_hitl/") == []


@pytest.mark.parametrize("key", ["a/" * 499 + "bb", "ü/" * 333 + "b"])
def test_a_key_of_up_to_a_thousand_bytes_is_safe(key):
    """The bound of S3 is 1,024, and quarantine needs some of it."""
    assert (len(key.encode()), check_key(key)) == (1000, key)


@pytest.mark.parametrize("key", ["a/" * 500 + "b", "\ud800.json"])
def test_a_longer_key_and_one_that_no_store_can_encode_are_not(key):
    with pytest.raises(ConfigError, match=r"1 to 1000 bytes in all$"):
        check_key(key)


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (errno.EPERM, StoreDenied, "has no hard links: choose a folder on another one"),
        (errno.EMLINK, StoreDenied, "has no hard links: choose a folder on another one"),
        (errno.EIO, StoreUnavailable, "Input/output error"),
    ],
)
def test_where_a_file_cannot_be_linked_nothing_is_written(tmp_path, monkeypatch, code, error, said):
    """A file system without hard links, such as exFAT, cannot write once; a broken disk is another thing."""

    def link(*_args: object, **_more: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(error, match=said):
        FolderStore(tmp_path).put_once("outcomes/c1.json", b"{}")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_was_never_there_is_erased_already(tmp_path):
    """Forgetting a person that was interrupted is run again."""
    store = FolderStore(tmp_path / "nowhere")

    assert (store.erase("outcomes/c1.json"), store.keys(), store.root.exists()) == (0, [], False)


def test_a_store_says_where_it_is(tmp_path):
    """In logs and error messages."""
    assert repr(FolderStore(tmp_path)) == f"FolderStore('{tmp_path}')"


def test_a_writer_that_died_keeps_no_other_from_seeing_what_it_wrote(tmp_path):
    """Its announcement stays: whoever comes next waits for it a while, and then goes on."""
    store = FolderStore(tmp_path)
    assert create_announced(store, "c1.json", b"{}") == "wrote"
    left = f"_hitl/claims/{hashlib.sha256(b'c1.json').hexdigest()}/dead"
    store.write(left, b"{}")

    assert create_announced(store, "c1.json", b"[]") == "taken"
    assert (store.get("c1.json"), store.keys("_hitl/")) == (b"{}", [left])


class Unlisted(FolderStore):
    """A store that goes away when it is asked for its keys."""

    def keys(self, _prefix: str = "") -> list[str]:
        raise StoreUnavailable("away")


def test_a_writer_that_cannot_look_around_withdraws_and_keeps_nobody_out(tmp_path):
    """It has written nothing yet."""
    with pytest.raises(StoreUnavailable, match="away"):
        create_announced(Unlisted(tmp_path), "c1.json", b"{}")

    assert FolderStore(tmp_path).keys("_hitl/") == []
    assert create_announced(FolderStore(tmp_path), "c1.json", b"[]") == "wrote"
