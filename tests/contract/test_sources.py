"""Every S3 store: cases are read from an object as from a file, over as many connections as that takes."""

import gzip
import io
import json
from dataclasses import replace

import pyarrow
import pytest
from pyarrow import parquet

from hitl_prefect.errors import ConfigError, StoreDenied, StoreUnavailable
from hitl_prefect.sources import read_cases
from hitl_prefect.sources.s3_object import S3Object

COUNT = 2_000
ROWS = [{"id": f"c{number}", "prompt": f"{number:0200}"} for number in range(COUNT)]
LINES = "\n".join(map(json.dumps, ROWS)).encode()


def as_csv():
    return "\r\n".join(["id,prompt", *(f"{row['id']},{row['prompt']}" for row in ROWS)]).encode()


def as_parquet():
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), file)
    return file.getvalue()


@pytest.fixture
def keys(monkeypatch):
    """The keys of a server in the environment, where the URL of a source finds them."""

    def given(server):
        for name, value in server.env.items():
            if name != "AWS_ENDPOINT_URL":
                monkeypatch.setenv(name, value)

    return given


def url_of(store, key):
    """The URL of an object, as a user writes it."""
    place, _, parameters = store.url.partition("?")
    return f"{place}/{key}?{parameters}"


def ids(url):
    return [one[1].id for one in read_cases(url, task="mail")]


@pytest.mark.parametrize("s3_target", ["ceph", "rclone"], indirect=True)
def test_an_object_is_read_as_a_file(s3_target, keys):
    """Parquet too, which needs to be sought in."""
    keys(s3_target.server)
    store = s3_target.store()
    contents = {"a.jsonl": LINES, "b.jsonl.gz": gzip.compress(LINES), "c.csv": as_csv(), "d.parquet": as_parquet()}
    for key, content in contents.items():
        store.write(key, content)

    assert [ids(url_of(store, key)) for key in contents] == [[row["id"] for row in ROWS]] * 4


@pytest.mark.parametrize("s3_target", ["ceph", "rclone"], indirect=True)
def test_what_is_not_there_is_named(s3_target, keys):
    keys(s3_target.server)
    store = s3_target.store()
    with pytest.raises(ConfigError, match=r"cases\.jsonl.*nothing stands under .*correct the key, or upload it first"):
        ids(url_of(store, "cases.jsonl"))
    with pytest.raises(StoreDenied, match=r"no-such-bucket.*create the bucket"):
        ids(f"s3://no-such-bucket/cases.jsonl?endpoint_url={s3_target.server.endpoint_url}")


@pytest.mark.parametrize("key", ["cases.jsonl", "cases.parquet"])
@pytest.mark.parametrize("faulty", ["ceph", "rclone"], indirect=True)
def test_a_connection_that_breaks_costs_no_line(faulty, keys, key):
    """What has arrived is not asked for again, but for the buffer that was being filled."""
    keys(faulty.server)
    content = LINES if key == "cases.jsonl" else as_parquet()
    faulty.behind.write(key, content)
    faulty.proxy.break_off(len(content) // 4, times=3)

    assert ids(url_of(faulty.store, key)) == [row["id"] for row in ROWS]
    assert [method for method, _ in faulty.proxy.requests] == ["GET"] * 4
    assert len(content) <= faulty.proxy.sent_bytes <= len(content) + 3 * (1 << 16)


@pytest.mark.parametrize("changed", [LINES.replace(b"c1", b"d1"), LINES[: len(LINES) // 8], LINES + b"\n"])
@pytest.mark.parametrize("faulty", ["ceph", "rclone"], indirect=True)
def test_an_object_that_is_changed_meanwhile_is_refused(faulty, keys, changed):
    """Its second half is none of what was begun; also where the store does not heed `If-Match`."""
    keys(faulty.server)
    faulty.behind.write("cases.jsonl", LINES)
    faulty.proxy.break_off(len(LINES) // 2)
    cases = read_cases(url_of(faulty.store, "cases.jsonl"), task="mail")
    next(cases)
    faulty.behind.write("cases.jsonl", changed)

    with pytest.raises(ConfigError, match=r"was changed while it was read, after [\d,]+ bytes: start again"):
        list(cases)


@pytest.mark.parametrize("faulty", ["rclone"], indirect=True)
def test_a_store_that_stays_away_is_unavailable(faulty):
    """After the pauses; and what was open is closed. Broken off at half: buffers may hold all that was sent."""
    faulty.behind.write("cases.jsonl", LINES)
    faulty.proxy.break_off(len(LINES) // 2)
    place = replace(faulty.store, prefix=f"{faulty.store.prefix}/cases.jsonl")
    with S3Object(place, pauses_s=(0.01, 0.01)) as source:
        first = source.read(10)
        faulty.proxy.down()
        with pytest.raises(StoreUnavailable, match=r"cases\.jsonl.*try again"):
            source.readall()

    assert (first, source.closed) == (LINES[:10], True)
