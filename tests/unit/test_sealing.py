"""Sealing: which outcomes a manifest names, and what is not gone on with."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jsonschema
import pytest

from hitl_prefect import sealing
from hitl_prefect.cli import app, main
from hitl_prefect.errors import ConfigError, OutcomeConflict, StoreError
from hitl_prefect.keys import make_key
from hitl_prefect.ledger_checks import Chain
from hitl_prefect.manifests import manifest_key, manifest_schema, read_chain
from hitl_prefect.reading import Unreadable
from hitl_prefect.sealing import Sealed, Sealing, seal
from hitl_prefect.stores import FolderStore
from hitl_prefect.verifying import verify_store
from tests.unit.making import NOON
from tests.unit.sealed import FIRST, FRIDAY, KEY, SCHEMA, SECOND, findings, put, rewrite, said, sha256, three_outcomes


@pytest.fixture
def unsealed(tmp_path):
    return three_outcomes(tmp_path / "store")


@pytest.fixture
def store(unsealed):
    """The same, sealed without a key."""
    seal(unsealed)
    return unsealed


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


def test_a_folder_of_no_task_is_named_and_the_others_are_sealed(unsealed):
    """Anybody who can write to the store can put one there."""
    stray = unsealed.root / "outcomes/v1/task=Bad/dt=2020-01-01/x.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    done = seal(unsealed)

    assert done.unreadable == (
        Unreadable(
            key="outcomes/v1/task=Bad/",
            problem="'Bad' is no name of a task: something else put it there, and nothing of it is sealed",
        ),
    )
    assert [(one.day, one.outcomes) for one in done.manifests] == [("2026-01-02", 2), ("2026-01-03", 1)]
    assert findings(unsealed)[0][0] == "outcomes/v1/task=Bad/dt=2020-01-01/x.json"


def test_an_object_under_a_key_that_is_refused_is_named_and_the_others_are_sealed(unsealed, capsys):
    """A file whose name is no text was put into the folder of a day; no command falls over it."""
    name = b"x\xff.json".decode(errors="surrogateescape")
    (unsealed.root / FRIDAY / name).write_text("{}")
    codes = [app(["seal", unsealed.url, "--json"]), app(["verify", unsealed.url, "--json"])]
    (broken,) = seal(unsealed).unreadable
    out = capsys.readouterr().out

    assert (broken.key, "is not safe" in broken.problem) == (f"{FRIDAY}x\\udcff.json", True)
    assert (codes, unsealed.keys("ledger/")) == ([1, 1], [FIRST, SECOND])
    assert out.isascii()
    assert out.count(json.dumps(f"{FRIDAY}{name}")) == 2  # added to a sealed day, and without an index entry


def test_a_manifest_of_a_number_far_away_stops_its_task_at_once(store):
    """It is one gap, however many numbers it spans."""
    (store.root / manifest_key("invoices", 999_999_999_999)).write_bytes(store.get(SECOND))
    put(store, "b1")
    put(store, "m1", task="mail")

    with pytest.raises(StoreError, match=r"000003\.json.*manifests 3 to 999999999998 are missing, and later ones are"):
        seal(store)
    assert manifest_key("mail", 1) in store.keys("ledger/")


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
