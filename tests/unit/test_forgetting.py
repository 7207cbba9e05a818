"""Forgetting a case: nothing that was said in it is left in the store, and the ledger still holds."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import hitl_prefect
from hitl_prefect import compacting
from hitl_prefect.cli import app
from hitl_prefect.compacting import compact
from hitl_prefect.errors import CaseForgotten, ConfigError, ObjectMissing, OutcomeConflict, StoreDenied
from hitl_prefect.forgetting import Forgetting, Wish, forget
from hitl_prefect.gathering import gather
from hitl_prefect.outcomes import CaseRecord
from hitl_prefect.reading import read_outcomes
from hitl_prefect.sealing import seal
from hitl_prefect.signing import public_key_of
from hitl_prefect.stores import FolderStore
from hitl_prefect.stores.once import check_key
from hitl_prefect.storing import put_outcome, read_outcome
from hitl_prefect.tombstones import Tombstone, tombstone_of, tombstone_schema
from hitl_prefect.verifying import verify_store
from tests.unit.making import NOON, a_case, a_generation, an_outcome

SCHEMA = Path(hitl_prefect.__file__).parent / "data" / "schemas" / "hitl.tombstone.v1.json"
SECRET = "Grace Hopper"
KEY = Ed25519PrivateKey.generate()
DAY = "task=invoices/dt=2026-01-02"
OURS = f"outcomes/v1/{DAY}/c1.json"
WISH = Wish(task="invoices", case="c1", by="dpo", reason="ticket 7", at=datetime(2026, 2, 1, tzinfo=UTC))


def outcome(case_id="c1", **changes):
    case = a_case(id=case_id, prompt=f"Write to {SECRET}." if case_id == "c1" else "Write.")
    return an_outcome(case=CaseRecord.of(case), **changes)


@pytest.fixture
def store(tmp_path):
    """Three outcomes of one day: of `c1`, and of two whose ids begin like it."""
    store = FolderStore(tmp_path / "store")
    for case_id in ("c1", "c1-2", "c10"):
        put_outcome(outcome(case_id, flow_run_id="7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11"), store=store)
    return store


def mentions(store):
    """The keys of objects that hold what the case was about."""
    return [key for key in store.keys("") if SECRET.encode() in store.get(key)]


def problems(store, **asked):
    return [one.problem for one in verify_store(store, {}, **asked).findings]


def ids(store):
    return [one.case.id for one in read_outcomes(store)]


def test_nothing_of_a_forgotten_case_is_left_in_the_store(store):
    """Nor in Parquet, nor in a review that was too large for Prefect, nor in quarantine."""
    compact(store)
    with pytest.raises(OutcomeConflict):
        put_outcome(outcome(decided_at=NOON + timedelta(days=2)), store=store)
    store.put_once(f"drafts/v1/task=invoices/c1-{'a' * 16}.json", SECRET.encode())
    before = mentions(store)
    done = forget(store, WISH)

    assert [key.partition("/")[0] for key in before] == ["drafts", "outcomes", "parquet", "quarantine"]
    assert mentions(store) == []
    assert set(done.erased) >= {OURS, *before}
    assert ids(store) == ["c1-2", "c10"]


def test_what_stands_there_instead_says_who_and_why_and_which_bytes(store):
    body = store.get(OURS)
    done = forget(store, WISH)
    stored = json.loads(store.get(OURS))

    assert stored == {
        "schema": "hitl.tombstone/v1",
        "task": "invoices",
        "case": "c1",
        "key": OURS,
        "outcome_sha256": compacting.hashlib.sha256(body).hexdigest(),
        "flow_run_id": "7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11",
        "forgotten_at": "2026-02-01T00:00:00Z",
        "by": "dpo",
        "reason": "ticket 7",
        "public_key": None,
        "signature": None,
    }
    assert store.get(f"forgotten/v1/{DAY}/c1.json") == store.get(OURS) == done.tombstone.stored
    jsonschema.Draft202012Validator(tombstone_schema()).validate(stored)


def test_the_schema_that_is_shipped_is_the_schema_of_the_code():
    assert json.loads(SCHEMA.read_text()) == tombstone_schema()


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_ledger_still_holds(store, when):
    """Whether the day was sealed before or after."""
    if when == "before":
        seal(store)
    done = forget(store, WISH)
    seal(store)
    found = verify_store(store, {})

    assert found.findings == ()
    assert (found.outcomes, found.forgotten, found.ledger[0].sealed) == (2, (done.tombstone,), 3)


def test_forgetting_twice_changes_nothing_more(store):
    first = forget(store, WISH)
    before = {key: store.get(key) for key in store.keys("")}
    again = forget(store, WISH.model_copy(update={"by": "somebody else"}))

    assert again.tombstone == first.tombstone
    assert {key: store.get(key) for key in store.keys("")} == before


def test_a_forgetting_that_was_broken_off_is_a_finding_and_is_gone_on_with(store):
    """It stopped before the outcome was replaced; from the first step on no reader counts the case."""
    marker = f"forgotten/v1/{DAY}/c1.json"
    tombstone = forget(store, WISH, dry_run=True).tombstone
    store.put_once(marker, tombstone.stored)

    assert ids(store) == ["c1-2", "c10"]
    assert problems(store) == ["the case was to be forgotten, and its outcome still stands: run `hitl forget` again"]
    assert forget(store, WISH).tombstone == tombstone
    assert problems(store) == []


def test_a_dry_run_says_what_would_be_erased(store):
    compact(store)
    before = {key: store.get(key) for key in store.keys("")}
    done = forget(store, WISH, dry_run=True)

    assert done == Forgetting(tombstone=done.tombstone, erased=(OURS, *store.keys("parquet/")))
    assert {key: store.get(key) for key in store.keys("")} == before


def test_objects_that_name_the_case_beside_others_are_named_and_stay(store):
    key = "examples/v1/task=invoices/000001.json"
    store.put_once(key, b'{"examples":[{"case_id":"c1"},{"case_id":"c9"}]}')
    store.put_once("examples/v1/task=invoices/000002.json", b'{"examples":[{"case_id":"c10"}]}')
    store.put_once("examples/v1/task=mail/000001.json", b'{"examples":[{"case_id":"c1"}]}')

    assert forget(store, WISH).shared == (key,)
    assert len(store.keys("examples/")) == 3


def test_a_forgotten_case_is_not_decided_again(store):
    """Neither by the run that decided it, nor by another; and nothing of it comes into quarantine."""
    forget(store, WISH)

    for again in (
        outcome(flow_run_id="7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11"),
        outcome(generation=a_generation(answer={"total": 1}), final_answer={"total": 1}),
        outcome(decided_at=NOON + timedelta(days=2)),
    ):
        with pytest.raises(CaseForgotten, match="case 'c1' of task 'invoices' was forgotten on 2026-02-01"):
            put_outcome(again, store=store)
    with pytest.raises(CaseForgotten):
        read_outcome(store, "invoices", "c1")
    assert mentions(store) == []


def test_a_case_without_an_outcome_is_not_forgotten(store):
    with pytest.raises(ObjectMissing, match="case 'c9' of task 'invoices' has no outcome"):
        forget(store, WISH.model_copy(update={"case": "c9"}))


def test_readers_count_what_was_forgotten_and_nothing_else_of_it(store):
    compact(store)
    whole = gather(store)
    forget(store, WISH)
    gathered = gather(store)

    assert [one.case_id for one in gathered.evidence] == ["c1-2", "c10"]
    assert (gathered.evidence, gathered.unreadable, gathered.forgotten) == (
        whole.evidence[:1] + whole.evidence[2:],
        [],
        1,
    )


def test_the_day_is_compacted_anew_without_it(store):
    compact(store)
    forget(store, WISH)
    again = compact(store)

    assert [one.outcomes for one in again.days] == [2]
    assert compact(store).days == ()
    assert (ids(store), mentions(store)) == (["c1-2", "c10"], [])


def test_a_case_that_is_forgotten_while_its_day_is_compacted_leaves_no_copy(store, monkeypatch):
    """The outcome was read before, and the Parquet written after the forgetting."""
    packed = compacting.parquet_of

    def slowly(outcomes):
        body = packed(outcomes)
        forget(store, WISH)
        return body

    monkeypatch.setattr(compacting, "parquet_of", slowly)
    done = compact(store)

    assert done.days == ()
    assert (store.keys("parquet/"), mentions(store)) == ([], [])


def test_a_tombstone_that_somebody_has_put_there_is_found(store):
    """To hide an outcome: without a tombstone beside it, of another outcome, or without the ledger's key."""
    seal(store, key=KEY)
    honest = forget(store, WISH, dry_run=True).tombstone
    (store.root / OURS).write_bytes(honest.stored)
    alone = problems(store)
    forget(store, WISH)
    unsigned = problems(store, ledger_keys=[public_key_of(KEY)])
    forged = honest.model_copy(update={"outcome_sha256": "0" * 64})
    for key in (OURS, f"forgotten/v1/{DAY}/c1.json"):
        (store.root / key).write_bytes(forged.stored)

    assert alone == ["no tombstone stands beside it: it was not `hitl forget`"]
    assert unsigned == ["its tombstone does not count: it is not signed"]
    assert problems(store) == [
        "its bytes are not those that manifest 1 names: it was changed after it was sealed",
        "its tombstone is that of another outcome",
    ]


def test_a_signed_tombstone_counts_where_a_key_is_asked_for(store):
    seal(store, key=KEY)
    forget(store, WISH, key=KEY)

    assert problems(store, ledger_keys=[public_key_of(KEY)]) == []


def test_a_tombstone_that_was_left_unsigned_is_signed_by_forgetting_again_with_a_key(store):
    """And is then the same in both places; by whom and why stays as it was."""
    seal(store, key=KEY)
    first = forget(store, WISH).tombstone
    unsigned = problems(store, ledger_keys=[public_key_of(KEY)])
    done = forget(store, WISH.model_copy(update={"by": "somebody else"}), key=KEY)
    after = {key: store.get(key) for key in store.keys("")}
    forget(store, WISH)

    assert unsigned == ["its tombstone does not count: it is not signed"]
    assert done.tombstone == first.signed_with(KEY)
    assert store.get(f"forgotten/v1/{DAY}/c1.json") == store.get(OURS) == done.tombstone.stored
    assert problems(store, ledger_keys=[public_key_of(KEY)]) == []
    assert {key: store.get(key) for key in store.keys("")} == after


def test_signing_that_was_broken_off_is_gone_on_with(store):
    """The signed one stands beside the outcome, the unsigned one still in its place."""
    first = forget(store, WISH).tombstone
    store.write(f"forgotten/v1/{DAY}/c1.json", first.signed_with(KEY).stored)
    forget(store, WISH, key=KEY)

    assert store.get(OURS) == first.signed_with(KEY).stored


def test_a_tombstone_of_another_outcome_is_not_signed(store):
    forged = forget(store, WISH).tombstone.model_copy(update={"outcome_sha256": "0" * 64})
    store.write(f"forgotten/v1/{DAY}/c1.json", forged.stored)

    with pytest.raises(StoreDenied, match="names another outcome than its index entry"):
        forget(store, WISH, key=KEY)


@pytest.mark.parametrize(
    "changed",
    [
        lambda body: b'{"reason":"Ada Lovelace, born 1815",' + body[1:],
        lambda body: body + b"\n\n",
        lambda body: body.replace(b",", b", "),
    ],
)
def test_a_tombstone_that_hides_something_is_found(store, changed):
    """It reads as it did, and its signature is good; its bytes are others."""
    seal(store, key=KEY)
    forget(store, WISH, key=KEY)
    (store.root / OURS).write_bytes(changed(store.get(OURS)))

    assert problems(store, ledger_keys=[public_key_of(KEY)]) == [
        "its tombstone has other bytes than `hitl forget` writes: it was changed, or something was hidden in it"
    ]


def test_the_ledger_holds_where_a_tombstone_was_signed_after_its_day_was_sealed(store):
    """The manifest names the unsigned one."""
    forget(store, WISH)
    seal(store, key=KEY)
    forget(store, WISH, key=KEY)

    assert problems(store, ledger_keys=[public_key_of(KEY)]) == []


@pytest.mark.parametrize("key", ["a\x1b[2J", "a\nb", "a\\b", "/a", "a/", "a//b", "a/../b", ".a", "", "a" * 1001])
def test_a_tombstone_of_what_can_be_no_key_is_none(store, key):
    """Its key is shown to people."""
    forged = forget(store, WISH, dry_run=True).tombstone.model_dump(mode="json", by_alias=True) | {"key": key}

    assert tombstone_of(json.dumps(forged).encode()) is None
    with pytest.raises(ConfigError):
        check_key(key)


def test_an_answer_that_calls_itself_a_tombstone_is_an_outcome(store):
    """A model may write what it likes."""
    answer = {"schema": "hitl.tombstone/v1"}
    put_outcome(outcome("c2", generation=a_generation(answer=answer), final_answer=answer), store=store)

    assert "c2" in ids(store)
    assert verify_store(store, {}).forgotten == ()


def test_a_store_that_cannot_forget_says_so(store):
    class Plain:
        url, writers, get, keys, put_once = "plain:", 1, store.get, store.keys, store.put_once

    with pytest.raises(ConfigError, match="plain: can forget nothing: its class Plain has no `erase`"):
        forget(Plain(), WISH)


def test_the_command_asks_first_says_what_is_gone_and_names_what_remains(store, capsys, monkeypatch):
    """Here no Prefect server is set up: the flow run's rows remain, and the exit code says so."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    asked = ["forget", "c1", "--task", "invoices", "--store", store.url, "--reason", "ticket 7", "--by", "dpo"]
    dry = app([*asked, "--dry-run"])
    planned = capsys.readouterr().out.splitlines()
    with pytest.raises(ConfigError, match="give --yes"):
        app(asked)
    capsys.readouterr()
    code = app([*asked, "--yes"])
    said = capsys.readouterr()

    assert dry == 0
    assert planned == [
        f"tombstone  {OURS}",
        "delete     flow run 7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11, its rows and artifacts",
        "Nothing was forgotten.",
    ]
    assert said.out.splitlines() == [*planned[:-1], "Case c1 is forgotten."]
    assert said.err.startswith(
        "Remains: flow run 7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11 in Prefect: PREFECT_API_URL is not"
    )
    assert code == 1
    assert Tombstone.model_validate_json(store.get(OURS)).by == "dpo"


def test_commands_say_how_many_cases_they_left_out(store, tmp_path, capsys):
    forget(store, WISH)
    (tmp_path / "policy.yaml").write_text("min_confidence: 0.7\n")
    app(["report", "--store", store.url, "--out", str(tmp_path / "report.html")])
    app(["replay", "--store", store.url, "--policy", str(tmp_path / "policy.yaml")])
    app(["export", store.url, "--task", "invoices", "--format", "trl-sft", "--dry-run"])
    app(["reviewers", store.url])

    assert capsys.readouterr().err.splitlines() == ["Left out: 1 case that people had forgotten."] * 4


def test_a_store_of_forgotten_cases_alone_is_no_empty_store(tmp_path, capsys):
    """`hitl verify` lists them, and is content."""
    store = FolderStore(tmp_path / "store")
    put_outcome(outcome(), store=store)
    forget(store, WISH)
    code = app(["verify", store.url])

    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        "0 outcomes, 0 good signatures, 0 findings.",
        f"Forgotten: {OURS}, on 2026-02-01 by dpo: ticket 7",
    ]


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(tombstone_schema(), indent=2, sort_keys=True) + "\n")
