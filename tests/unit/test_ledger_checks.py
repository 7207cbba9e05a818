"""The ledger: what is changed, removed, added, exchanged or cut off after a day was sealed is found."""

import json
from datetime import timedelta

import pytest

from hitl_prefect.errors import ConfigError, StoreUnavailable
from hitl_prefect.manifests import manifest_key
from hitl_prefect.outcomes import index_key
from hitl_prefect.sealing import seal
from hitl_prefect.signing import public_key_of
from hitl_prefect.verifying import verify_store
from tests.unit.making import NOON
from tests.unit.sealed import (
    FIRST,
    FRIDAY,
    KEY,
    OTHER,
    SATURDAY,
    SECOND,
    findings,
    put,
    rewrite,
    said,
    sha256,
    three_outcomes,
)


@pytest.fixture
def unsealed(tmp_path):
    return three_outcomes(tmp_path / "store")


@pytest.fixture
def store(unsealed):
    """The same, sealed without a key."""
    seal(unsealed)
    return unsealed


def test_an_outcome_that_was_changed_is_found(store):
    """Also where its index entry was written anew."""
    key = f"{FRIDAY}c1.json"
    body = store.get(key).replace(b'"total":12.5', b'"total":99.5')
    (store.root / key).write_bytes(body)
    entry = json.dumps({"key": key, "sha256": sha256(body)}, separators=(",", ":"))
    (store.root / index_key("invoices", "c1")).write_text(entry)

    assert (key, "its bytes are not those that manifest 1 names: it was changed after it was sealed") in findings(store)


def test_an_outcome_that_was_removed_is_found_also_without_its_index_entry(store):
    (store.root / f"{FRIDAY}c1.json").unlink()
    with_entry = findings(store)
    (store.root / index_key("invoices", "c1")).unlink()

    assert with_entry == findings(store)
    assert with_entry == [(f"{FRIDAY}c1.json", "it is gone: manifest 1 of its task names it")]


def test_an_outcome_that_is_listed_and_gone_when_it_is_read_is_found(store):
    """A link that leads nowhere, or a deletion between the two; with and without an index entry."""
    for name in ("c1", "c2"):
        path = store.root / f"{FRIDAY}{name}.json"
        path.unlink()
        path.symlink_to("/nowhere")
    (store.root / index_key("invoices", "c2")).unlink()
    found = verify_store(store, {})

    assert [(one.key, one.problem) for one in found.findings if "no index entry" not in one.problem] == [
        (f"{FRIDAY}c1.json", "it is gone: manifest 1 of its task names it"),
        (f"{FRIDAY}c2.json", "it is gone: manifest 1 of its task names it"),
    ]
    assert found.outcomes == 1


def test_an_outcome_that_was_added_to_a_sealed_day_is_found(store):
    """With an index entry, as an honest writer makes it; also to a day that had no outcome."""
    put(store, "x1")
    put(store, "x2", decided_at=NOON - timedelta(days=9))

    assert said(store) == [("x2.json", "it came after its day wa"), ("x1.json", "it came after its day wa")]


def test_outcomes_that_were_exchanged_are_found(store):
    one, other = store.root / f"{FRIDAY}c1.json", store.root / f"{FRIDAY}c2.json"
    bodies = one.read_bytes(), other.read_bytes()
    one.write_bytes(bodies[1])
    other.write_bytes(bodies[0])

    assert (f"{FRIDAY}c1.json", f"it holds what was sealed as {FRIDAY}c2.json: objects were exchanged") in findings(
        store
    )
    assert (f"{FRIDAY}c2.json", f"it holds what was sealed as {FRIDAY}c1.json: objects were exchanged") in findings(
        store
    )


def test_objects_of_a_manifest_that_were_reordered_are_found(store):
    rewrite(store, FIRST, lambda stored: stored["objects"].reverse())

    assert findings(store) == [
        (FIRST, "its objects are not in order: they were re-ordered, or named twice"),
        (FIRST, f"its sha256 is not the one that {SECOND} names: one of the two was changed"),
    ]


def test_manifests_that_were_exchanged_are_found(store):
    one, other = store.root / FIRST, store.root / SECOND
    bodies = one.read_bytes(), other.read_bytes()
    one.write_bytes(bodies[1])
    other.write_bytes(bodies[0])

    assert [(key, problem) for key, problem in findings(store) if "exchanged" in problem] == [
        (FIRST, "it is manifest 2 of task 'invoices': manifests were exchanged"),
        (SECOND, "it is manifest 1 of task 'invoices': manifests were exchanged"),
    ]


def test_a_manifest_that_was_removed_from_the_middle_is_found(store):
    (store.root / FIRST).unlink()

    assert findings(store)[0] == (FIRST, "this manifest is missing, and later ones are there")


@pytest.mark.parametrize("name", ["00300000.json", "999999999999.json"])
def test_many_manifests_that_are_missing_are_one_finding(store, name):
    """Somebody put one under a number far away: its key alone must not cost memory or hours."""
    stray = f"ledger/v1/task=invoices/{name}"
    (store.root / stray).write_text("x")
    last = int(name.removesuffix(".json")) - 1

    assert findings(store) == [
        (manifest_key("invoices", 3), f"manifests 3 to {last} are missing, and later ones are there"),
        (stray, "it is no manifest: 1 fields do not fit"),
    ]


def test_a_manifest_that_is_listed_and_gone_when_it_is_read_is_found(store):
    (store.root / SECOND).unlink()
    (store.root / SECOND).symlink_to("/nowhere")

    assert findings(store)[0] == (SECOND, "this manifest is listed, and nothing stands there")


def test_only_numbers_from_one_are_places_of_a_ledger(store):
    """Of two ways to write a number the one that we write counts."""
    for name in ("000000.json", "0000001.json", "notes.json"):
        (store.root / f"ledger/v1/task=invoices/{name}").write_text("x")

    assert findings(store) == []


def test_an_outcome_taken_out_of_its_manifest_too_is_found(store):
    """The next manifest names the one that was there before."""
    (store.root / f"{FRIDAY}c1.json").unlink()
    (store.root / index_key("invoices", "c1")).unlink()
    rewrite(store, FIRST, lambda stored: stored["objects"].pop(0))

    assert findings(store) == [(FIRST, f"its sha256 is not the one that {SECOND} names: one of the two was changed")]


def test_a_ledger_that_was_cut_off_is_found_by_its_head(store):
    """With the outcomes and entries of its last day; the store alone could not tell."""
    head = sha256(store.get(SECOND))
    for key in (SECOND, f"{SATURDAY}d1.json", index_key("invoices", "d1")):
        (store.root / key).unlink()

    assert findings(store) == []
    assert findings(store, heads=[head]) == [
        ("ledger", f"no manifest has the sha256 {head}: the ledger was cut off, or written anew")
    ]


def test_a_head_that_is_still_there_has_no_finding(store):
    assert findings(store, heads=[sha256(store.get(FIRST)), sha256(store.get(SECOND))]) == []


def test_a_head_counts_in_capitals_and_with_space_around(store):
    """As it comes out of a ticket."""
    assert findings(store, heads=[f" {sha256(store.get(SECOND)).upper()} "]) == []


def test_a_head_of_another_task_is_found_where_one_task_is_verified(store):
    """Whoever keeps the heads of all tasks gives all of them; none of them was cut off."""
    put(store, "m1", task="mail")
    seal(store)
    key = manifest_key("mail", 1)
    head = sha256(store.get(key))

    assert findings(store, task="invoices", heads=[head]) == []
    (store.root / key).unlink()
    assert findings(store, task="invoices", heads=[head]) == [
        ("ledger", f"no manifest has the sha256 {head}: the ledger was cut off, or written anew")
    ]


@pytest.mark.parametrize("head", ["e2c4c9f0d6a3b1aa...", "", "invoices"])
def test_what_is_no_sha256_is_no_head(store, head):
    """It was shortened or mistyped: that must not read as if somebody had cut the ledger off."""
    with pytest.raises(ConfigError, match="is no head of a ledger: give all 64 hexadecimal digits"):
        verify_store(store, {}, heads=[head])


def test_a_signed_ledger_is_verified_with_its_public_key(unsealed):
    seal(unsealed, key=KEY)
    found = verify_store(unsealed, {}, ledger_keys=[public_key_of(OTHER), public_key_of(KEY)])

    assert (found.findings, found.ledger[0].signed) == ((), 2)


def test_a_ledger_signed_by_another_key_is_found(unsealed):
    """Somebody has written all of it anew."""
    seal(unsealed, key=OTHER)

    assert said(unsealed, ledger_keys=[public_key_of(KEY)]) == [
        ("000001.json", "its signature is not by "),
        ("000002.json", "its signature is not by "),
    ]


def test_an_unsigned_ledger_is_found_where_a_key_is_asked_for(store):
    assert said(store, ledger_keys=[public_key_of(KEY)]) == [
        ("000001.json", "it is not signed"),
        ("000002.json", "it is not signed"),
    ]


def test_a_signed_manifest_that_was_changed_is_found_also_where_it_is_the_last(unsealed):
    seal(unsealed, key=KEY)
    rewrite(unsealed, SECOND, lambda stored: stored["objects"][0].update(size_bytes=1))

    assert said(unsealed, ledger_keys=[public_key_of(KEY)]) == [("000002.json", "its signature is not by ")]


def test_a_ledger_that_was_removed_is_found_where_a_key_is_asked_for(unsealed):
    assert findings(unsealed, ledger_keys=[public_key_of(KEY)]) == [
        ("ledger/v1/task=invoices/", "this task has no ledger: no day of it was sealed yet, or the ledger was removed")
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"schema":"hitl.manifest/v2"}', b"\xff"])
def test_what_is_no_manifest_is_a_finding(store, body):
    (store.root / SECOND).write_bytes(body)

    assert said(store)[0] == (
        "000002.json",
        "it is no manifest: 1 fie" if body != b'{"schema":"hitl.manifest/v2"}' else "it is no manifest: 6 fie",
    )


def test_a_manifest_in_other_bytes_than_its_own_is_found(store):
    """It says the same, and its sha256 is another."""
    (store.root / SECOND).write_text(json.dumps(json.loads(store.get(SECOND)), indent=1))

    assert findings(store) == [(SECOND, "its bytes are not the canonical ones: something else wrote it")]


def test_a_manifest_whose_signature_was_taken_away_is_found_without_any_key(unsealed):
    seal(unsealed, key=KEY)
    rewrite(unsealed, SECOND, lambda stored: stored.update(signature=None, public_key=None))

    assert findings(unsealed) == [(SECOND, "it is not signed, and the one before it is")]


def test_a_manifest_that_names_outcomes_of_another_day_is_found(store):
    rewrite(store, SECOND, lambda stored: stored.update(day="2026-01-04"))

    assert (SECOND, "it names objects outside outcomes/v1/task=invoices/dt=2026-01-04/") in findings(store)


def test_a_folder_in_the_place_of_a_manifest_is_a_finding(store):
    (store.root / FIRST).unlink()
    (store.root / FIRST).mkdir()

    assert (FIRST, "this manifest is missing, and later ones are there") in findings(store)


def test_a_manifest_that_cannot_be_read_is_a_finding(store):
    (store.root / FIRST).unlink()
    (store.root / FIRST).symlink_to(store.root / SECOND / "x")

    assert (FIRST, f"{FIRST!r} in {store.url}: Not a directory") in findings(store)


def test_a_manifest_that_cannot_be_read_for_now_is_no_finding(store):
    """Who asks again later may find it whole; so verifying stops, and does not call it changed."""
    (store.root / FIRST).unlink()
    (store.root / FIRST).symlink_to(store.root / FIRST)

    with pytest.raises(StoreUnavailable, match=r"000001\.json"):
        verify_store(store, {})
