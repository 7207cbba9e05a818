"""Object lock and versioning: asked for, kept, and refused where a bucket would not do it."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from hitl_prefect.errors import ConfigError, OutcomeConflict, StoreDenied
from hitl_prefect.forgetting import Wish, forget
from hitl_prefect.outcomes import index_key
from hitl_prefect.sealing import seal
from hitl_prefect.stores import S3Store, store_for
from hitl_prefect.storing import put_outcome
from hitl_prefect.verifying import verify_store
from tests.unit.making import an_outcome

KEY = "outcomes/v1/task=invoices/dt=2026-01-02/c1.json"
WISH = Wish(task="invoices", case="c1", by="dpo", reason="ticket 7", at=datetime(2026, 2, 1, tzinfo=UTC))


@pytest.fixture(params=("moto", "ceph"))
def locking(request):
    """A bucket with object lock, and a store on it for each test that wants one."""
    server, bucket = request.getfixturevalue(request.param), f"lock-{uuid.uuid4().hex[:12]}"
    client = server.client()
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    opened = []

    def store(**changes):
        opened.append(server.store(bucket, **{"lock_days": 30, **changes}))
        return opened[-1]

    yield store, client, bucket
    client.close()
    for one in opened:
        one.close()


def versions(client, bucket, key):
    return [one["VersionId"] for one in client.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", ())]


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_an_outcome_is_locked_for_as_long_as_was_asked(locking, mode):
    store, client, bucket = locking
    store(lock_mode=mode).put_once(KEY, b"{}")
    # Not GetObjectRetention: moto fails at it.
    lock = client.head_object(Bucket=bucket, Key=KEY)
    (version,) = versions(client, bucket, KEY)

    assert lock["ObjectLockMode"] == mode
    assert abs(lock["ObjectLockRetainUntilDate"] - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key=KEY, VersionId=version)


def test_a_locked_outcome_is_created_once_like_any_other(locking):
    store, client, bucket = locking
    target = store()

    assert [target.put_once(KEY, b"{}"), target.put_once(KEY, b"{}")] == ["created", "already"]
    with pytest.raises(OutcomeConflict):
        target.put_once(KEY, b"[]")
    assert len(versions(client, bucket, KEY)) == 1


def test_copies_and_bookkeeping_are_not_locked(locking):
    store, client, bucket = locking
    store().put_once("parquet/v1/task=invoices/dt=2026-01-02/1-ab.parquet", b"{}")

    held = client.head_object(Bucket=bucket, Key="parquet/v1/task=invoices/dt=2026-01-02/1-ab.parquet")

    assert "ObjectLockMode" not in held


def test_what_a_lock_holds_is_forgotten_only_by_whoever_may_bypass_it(locking):
    """The tombstone stands at once; the version with the answer goes when the lock is bypassed, or ends."""
    store, client, bucket = locking
    target = store()
    put_outcome(an_outcome(), store=target)
    seal(target)
    held = forget(target, WISH)
    freed = forget(target, WISH, bypass_governance=True)

    assert (held.locked, freed.locked) == ((KEY,), ())
    assert len(versions(client, bucket, KEY)) == 1
    assert (verify_store(target, {}).findings, verify_store(target, {}).forgotten) == ((), (freed.tombstone,))


def test_in_compliance_mode_nobody_forgets_before_the_lock_ends(locking):
    store, client, bucket = locking
    target = store(lock_mode="COMPLIANCE")
    put_outcome(an_outcome(), store=target)

    assert forget(target, WISH, bypass_governance=True).locked == (KEY,)
    assert len(versions(client, bucket, KEY)) == 2
    assert target.keys(index_key("invoices", "c1")) == [index_key("invoices", "c1")]


def test_versions_of_a_forgotten_case_go_where_nothing_is_locked(locking):
    store, client, bucket = locking
    target = store(lock_days=None, versioned=True)
    put_outcome(an_outcome(), store=target)
    target.put_once("quarantine/outcomes/v1/task=invoices/dt=2026-01-02/c1.json.0123456789abcdef", b"{}")

    assert forget(target, WISH).locked == ()
    assert len(versions(client, bucket, KEY)) == 1
    assert versions(client, bucket, "quarantine/") == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"lock_days": 1}, "lock_days is set, and s3://.* locks no object"), ({"versioned": True}, "keeps no versions")],
)
def test_a_bucket_that_would_not_do_it_is_refused_before_anything_is_written(s3_target, asked, says):
    """Some servers take the headers and ignore them."""
    with pytest.raises(StoreDenied, match=says):
        s3_target.store(**asked).put_once(KEY, b"{}")

    assert s3_target.store().keys() == []


def test_a_case_is_forgotten_on_every_store(target):
    """Also where the server knows no versions."""
    store = target.store()
    put_outcome(an_outcome(), store=store)
    done = forget(store, WISH)

    assert done.locked == ()
    assert store.get(KEY) == done.tombstone.stored


def test_the_url_of_a_store_says_how_it_locks():
    store = store_for("s3://outcomes?lock_days=365&lock_mode=COMPLIANCE&versioned=true")

    assert isinstance(store, S3Store)
    assert (store.lock_days, store.lock_mode, store.versioned) == (365, "COMPLIANCE", True)
    assert store.url == "s3://outcomes?lock_days=365&lock_mode=COMPLIANCE&versioned=true"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://outcomes?lock_days=soon", "lock_days is a whole number of days"),
        ("s3://outcomes?lock_days=0", "lock_days is 0: give a whole number of days, 1 or more"),
        ("s3://outcomes?lock_days=1&lock_mode=ever", "lock_mode is 'ever': GOVERNANCE or COMPLIANCE"),
    ],
)
def test_a_lock_that_is_none_is_refused(url, says):
    with pytest.raises(ConfigError, match=says):
        store_for(url)
