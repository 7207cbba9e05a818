"""The ledger: what is changed, removed, added, exchanged or cut off after a day was sealed is found."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import hitl_prefect
from hitl_prefect import sealing
from hitl_prefect.cli import app, main
from hitl_prefect.errors import ConfigError, OutcomeConflict, StoreError, StoreUnavailable
from hitl_prefect.keys import make_key
from hitl_prefect.ledger_checks import Chain
from hitl_prefect.manifests import Manifest, manifest_key, manifest_schema, read_chain
from hitl_prefect.outcomes import CaseRecord, index_key
from hitl_prefect.reading import Unreadable
from hitl_prefect.sealing import Sealed, Sealing, seal
from hitl_prefect.signing import public_key_of
from hitl_prefect.stores import FolderStore
from hitl_prefect.storing import put_outcome
from hitl_prefect.verifying import verify_store
from tests.unit.making import NOON, a_case, an_outcome

SCHEMA = Path(hitl_prefect.__file__).parent / "data" / "schemas" / "hitl.manifest.v1.json"
KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
FRIDAY, SATURDAY = "outcomes/v1/task=invoices/dt=2026-01-02/", "outcomes/v1/task=invoices/dt=2026-01-03/"
FIRST, SECOND = manifest_key("invoices", 1), manifest_key("invoices", 2)


def put(store, case_id, task="invoices", **changes):
    put_outcome(an_outcome(case=CaseRecord.of(a_case(id=case_id, task=task)), **changes), store=store)


@pytest.fixture
def unsealed(tmp_path):
    """Three outcomes of one task on two days."""
    store = FolderStore(tmp_path / "store")
    put(store, "c1")
    put(store, "c2", decided_at=NOON + timedelta(microseconds=1))
    put(store, "d1", decided_at=NOON + timedelta(days=1))
    return store


@pytest.fixture
def store(unsealed):
    """The same, sealed without a key."""
    seal(unsealed)
    return unsealed


def findings(store, **asked):
    return [(one.key, one.problem) for one in verify_store(store, {}, **asked).findings]


def said(store, **asked):
    """Of each finding the end of its key, and how its problem begins."""
    return [(key.rpartition("/")[2], problem[:24]) for key, problem in findings(store, **asked)]


def rewrite(store, key, change):
    """What somebody with write access does to a manifest."""
    stored = json.loads(store.get(key))
    change(stored)
    manifest = Manifest.model_validate(stored)
    (store.root / key).write_bytes(manifest.stored)
    return manifest


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def test_each_day_has_a_manifest_that_names_the_one_before(store):
    first, second = (link.manifest for link in read_chain(store, "invoices"))
    bodies = {key: store.get(key) for key in store.keys("outcomes/")}

    assert [(one.key, one.sha256, one.size_bytes) for one in (*first.objects, *second.objects)] == [
        (key, sha256(body), len(body)) for key, body in bodies.items()
    ]
    assert (first.number, first.day, first.previous) == (1, "2026-01-02", None)
    assert (second.number, second.day, second.previous) == (2, "2026-01-03", sha256(store.get(FIRST)))


def test_a_sealed_store_has_no_finding(store):
    found = verify_store(store, {})

    assert found.findings == ()
    assert found.unsealed == 0
    assert found.ledger == (
        Chain(task="invoices", manifests=2, signed=0, sealed=3, late=0, head=sha256(store.get(SECOND))),
    )


def test_sealing_twice_writes_nothing_more(store):
    before = {key: store.get(key) for key in store.keys("")}

    assert seal(store).manifests == ()
    assert {key: store.get(key) for key in store.keys("")} == before


def test_the_same_outcomes_give_the_same_ledger(store, tmp_path):
    """Whoever seals them, and whenever."""
    again = FolderStore(tmp_path / "again")
    for key in store.keys("outcomes/"):
        again.put_once(key, store.get(key))
    seal(again)

    assert [again.get(key) for key in again.keys("ledger/")] == [store.get(key) for key in store.keys("ledger/")]


def test_a_day_that_is_not_over_is_left_alone(unsealed):
    done = seal(unsealed, today="2026-01-03")

    assert [(one.day, one.outcomes) for one in done.manifests] == [("2026-01-02", 2)]
    assert verify_store(unsealed, {}).unsealed == 1
    assert findings(unsealed) == []


def test_what_comes_late_has_a_manifest_of_its_own(store):
    put(store, "b1")
    before = said(store)
    done = seal(store)
    found = verify_store(store, {})

    assert before == [("b1.json", "it came after its day wa")]
    assert done.manifests == (
        Sealed(
            task="invoices",
            day="2026-01-02",
            outcomes=1,
            late=True,
            key=manifest_key("invoices", 3),
            sha256=found.ledger[0].head,
        ),
    )
    assert (found.findings, found.ledger[0].late) == ((), 1)


def test_a_large_day_has_several_manifests_and_none_is_late(unsealed, monkeypatch):
    monkeypatch.setattr(sealing, "_AT_MOST", 1)

    assert [(one.day, one.outcomes, one.late) for one in seal(unsealed).manifests] == [
        ("2026-01-02", 1, False),
        ("2026-01-02", 1, False),
        ("2026-01-03", 1, False),
    ]
    assert findings(unsealed) == []


def test_a_task_of_which_no_day_is_over_gets_no_ledger(unsealed):
    assert seal(unsealed, today="2026-01-02") == Sealing()
    assert unsealed.keys("ledger/") == []


def test_an_outcome_that_is_gone_when_it_is_read_is_named_and_the_others_are_sealed(unsealed):
    """It was listed a moment before."""
    key = f"{FRIDAY}gone.json"
    (unsealed.root / key).symlink_to(unsealed.root / "nowhere")
    done = seal(unsealed)

    assert done.unreadable == (Unreadable(key=key, problem=f"nothing stands under {key!r} in {unsealed.url}"),)
    assert [(one.day, one.outcomes) for one in done.manifests] == [("2026-01-02", 2), ("2026-01-03", 1)]


class Overtaken(FolderStore):
    """Before it writes a manifest somebody else has written that number, about outcomes of another day."""

    def put_once(self, key, body):
        if key.startswith("ledger/"):
            rival = FolderStore(self.root)
            put(rival, f"r{len(rival.keys('ledger/'))}", decided_at=NOON - timedelta(days=9))
            seal(rival, today="2026-01-01")
        return super().put_once(key, body)


def test_a_sealer_that_is_overtaken_five_times_seals_nothing_and_says_so(unsealed):
    """The chain of the others is whole."""
    with pytest.raises(OutcomeConflict, match=r"000005\.json"):
        seal(Overtaken(unsealed.root))

    assert [link.problems for link in read_chain(unsealed, "invoices")] == [()] * 5
    assert {link.manifest.day for link in read_chain(unsealed, "invoices")} == {"2025-12-24"}


def test_a_dry_run_says_what_would_be_sealed(unsealed):
    assert seal(unsealed, dry_run=True).manifests == (
        Sealed(task="invoices", day="2026-01-02", outcomes=2, late=False),
        Sealed(task="invoices", day="2026-01-03", outcomes=1, late=False),
    )
    assert unsealed.keys("ledger/") == []


def test_sealers_at_the_same_time_make_one_chain(unsealed):
    """Some of them have not seen the outcome that came last."""
    stores = [FolderStore(unsealed.root) for _ in range(8)]

    def work(number):
        put(unsealed, f"e{number}", decided_at=NOON + timedelta(days=2))
        return seal(stores[number]).manifests

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    seal(unsealed)

    assert findings(unsealed) == []
    assert verify_store(unsealed, {}).ledger[0].sealed == 11


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

    assert said(store)[0] == ("000001.json", "this manifest is missing")


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


def test_a_signed_ledger_is_not_gone_on_with_unsigned(unsealed):
    seal(unsealed, key=KEY)
    put(unsealed, "b1")

    with pytest.raises(ConfigError, match="the ledger of task 'invoices' is signed: seal it with a key"):
        seal(unsealed)


def test_a_chain_that_was_changed_is_not_gone_on_with(store):
    """It would cover up for the change. The ledgers of other tasks are gone on with."""
    rewrite(store, FIRST, lambda stored: stored["objects"].pop(0))
    put(store, "b1")
    put(store, "m1", task="mail")

    with pytest.raises(StoreError, match=r"000001\.json.*one of the two was changed; nothing of its task was sealed"):
        seal(store)
    assert store.keys("ledger/") == [FIRST, SECOND, manifest_key("mail", 1)]


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

    assert (FIRST, f"{FIRST!r} in {store.url}: Is a directory") in findings(store)


def test_a_manifest_that_cannot_be_read_for_now_is_no_finding(store):
    """Who asks again later may find it whole; so verifying stops, and does not call it changed."""
    (store.root / FIRST).unlink()
    (store.root / FIRST).symlink_to(store.root / FIRST)

    with pytest.raises(StoreUnavailable, match=r"000001\.json"):
        verify_store(store, {})


def test_one_task_is_sealed_and_verified_alone(unsealed):
    put(unsealed, "m1", task="mail")
    done = seal(unsealed, task="mail")

    assert [one.task for one in done.manifests] == ["mail"]
    assert [one.task for one in verify_store(unsealed, {}, task="mail").ledger] == ["mail"]


def test_the_schema_that_is_shipped_is_the_schema_of_the_code(store):
    assert json.loads(SCHEMA.read_text()) == manifest_schema()
    jsonschema.Draft202012Validator(manifest_schema()).validate(json.loads(store.get(FIRST)))


def test_the_commands_seal_with_a_key_and_verify_with_its_name(unsealed, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HITL_KEYS", str(tmp_path / "keys"))
    make_key("ledger")
    sealed = app(["seal", unsealed.url, "--key", "ledger"])
    told = capsys.readouterr().out
    head = sha256(unsealed.get(SECOND))
    verified = app(["verify", unsealed.url, "--ledger-key", "ledger", "--head", head])

    assert (sealed, verified) == (0, 0)
    assert told.splitlines()[-2:] == [f"invoices  2026-01-03  1         no    {head}", "3 outcomes are sealed now."]
    assert capsys.readouterr().out.splitlines() == [
        "3 outcomes, 0 good signatures, 0 findings.",
        f"Ledger of invoices: 3 outcomes, 2 manifests, 2 with a good signature. Head {head}",
    ]


def test_the_command_names_what_was_changed_and_fails(store, capsys):
    (store.root / f"{FRIDAY}c1.json").unlink()
    with pytest.raises(SystemExit) as done:
        main(["verify", store.url, "--json"])

    assert done.value.code == 1
    assert json.loads(capsys.readouterr().out)["findings"] == [
        {"key": f"{FRIDAY}c1.json", "problem": "it is gone: manifest 1 of its task names it"}
    ]


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(manifest_schema(), indent=2, sort_keys=True) + "\n")
