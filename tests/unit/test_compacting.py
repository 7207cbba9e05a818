"""Outcomes in Parquet: nothing is lost, counted twice or believed that is not whole."""

import doctest
import io
import re
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hitl_prefect import columns
from hitl_prefect.cli import main
from hitl_prefect.compacting import Compacted, Compaction, compact
from hitl_prefect.days import Day, ParquetName, parquet_key
from hitl_prefect.errors import MissingExtra
from hitl_prefect.gathering import gather
from hitl_prefect.models import Promise
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.reading import Unreadable, read_outcomes
from hitl_prefect.stores import FolderStore
from tests.unit.making import NOON, a_case, a_review, a_route, an_outcome

REVIEWED = {"decision": "approve", "decided_by": "human", "review": a_review(), "route": a_route(propensity=1)}
LATER = NOON + timedelta(days=1, microseconds=7)


def outcome(case_id, task="invoices", **changes):
    return an_outcome(case=CaseRecord.of(a_case(id=case_id, task=task)), **changes)


def put(store, *outcomes):
    for one in outcomes:
        store.put_once(outcome_key(one), one.stored)


def parquet(store):
    return store.keys("parquet/")


@pytest.fixture
def store(tmp_path):
    """Two days and two tasks; `c-1` sorts before `c` as a key, and after it as an id."""
    store = FolderStore(tmp_path / "store")
    put(
        store,
        outcome("c", **REVIEWED),
        outcome("c-1", route=a_route(promise=Promise(max_error=0.05, confidence_level=0.9))),
        outcome("c", task="mail"),
        outcome("d", decided_at=LATER, **REVIEWED),
    )
    return store


def test_a_compacted_store_tells_the_same(store):
    """Evidence, outcomes and their order."""
    evidence, outcomes = gather(store), list(read_outcomes(store))
    done = compact(store)

    assert gather(store) == evidence
    assert list(read_outcomes(store)) == outcomes
    assert [(one.task, one.date, one.outcomes) for one in done.days] == [
        ("invoices", "2026-01-02", 2),
        ("invoices", "2026-01-03", 1),
        ("mail", "2026-01-02", 1),
    ]


def test_a_compacted_day_is_read_from_parquet_alone(store):
    compact(store)
    for key in store.keys("outcomes/"):
        (store.root / key).write_bytes(b"{")

    assert len(gather(store).evidence) == len(list(read_outcomes(store))) == 4
    assert gather(store).unreadable == []


def test_compacting_twice_writes_nothing_more(store):
    compact(store)
    before = parquet(store)

    assert compact(store).days == ()
    assert parquet(store) == before


def test_what_comes_late_gets_an_object_of_its_own(store):
    compact(store)
    put(store, outcome("b", **REVIEWED))
    unread = gather(store)
    done = compact(store)

    assert [(one.date, one.outcomes) for one in done.days] == [("2026-01-02", 1)]
    assert gather(store) == unread
    assert [one.case_id for one in unread.evidence] == ["b", "c-1", "c", "d", "c"]


def test_a_day_in_several_objects_is_not_copied_again(store):
    compact(store)
    put(store, outcome("b", **REVIEWED))
    compact(store)
    before = parquet(store)

    assert compact(store) == Compaction()
    assert parquet(store) == before


def test_an_outcome_that_is_gone_when_it_is_read_is_named_and_the_others_are_copied(store):
    """It was listed a moment before."""
    key = "outcomes/v1/task=mail/dt=2026-01-02/gone.json"
    (store.root / key).symlink_to(store.root / "nowhere")
    done = compact(store, task="mail")

    gone = Unreadable(key=key, problem=f"nothing stands under {key!r} in {store.url}")
    assert (done.unreadable, [one.outcomes for one in done.days]) == ((gone,), [1])


def test_a_day_of_more_outcomes_than_are_written_at_once_keeps_each_of_them_in_order():
    """They are written by the 4096."""
    stored = [(one.stored, one) for one in (outcome(f"c{number:04}") for number in range(4097))]
    body = columns.parquet_of(stored)
    day = Day("task=invoices/dt=2026-01-02")
    sha256 = columns.hashlib.sha256(body).hexdigest()
    opened = columns.Columns(day, ParquetName(parquet_key(day, 4097, sha256), 4097, sha256), body)

    assert list(opened.outcomes()) == [(outcome_key(one), kept) for kept, one in stored]
    assert [(key, one.case_id) for key, one in opened.evidence()] == [
        (outcome_key(one), one.case.id) for _, one in stored
    ]


def test_an_outcome_that_two_runs_copied_counts_once(store):
    """One run had not seen the late outcome yet."""
    compact(store)
    first = parquet(store)
    kept = {key: store.get(key) for key in first}
    for key in first:
        (store.root / key).unlink()
    put(store, outcome("b"))
    compact(store)
    for key, body in kept.items():
        store.put_once(key, body)

    assert [one.case_id for one in gather(store).evidence] == ["b", "c-1", "c", "d", "c"]
    assert len(list(read_outcomes(store))) == 5


def test_a_day_that_is_not_over_is_left_alone(store):
    done = compact(store, today="2026-01-03")

    assert {one.date for one in done.days} == {"2026-01-02"}


def test_an_outcome_whose_json_was_erased_no_longer_counts(store):
    compact(store)
    (store.root / "outcomes/v1/task=invoices/dt=2026-01-02/c.json").unlink()

    assert [one.case_id for one in gather(store, "invoices").evidence] == ["c-1", "d"]
    assert [one.case.id for one in read_outcomes(store, "invoices")] == ["c-1", "d"]


@pytest.mark.parametrize("damage", [lambda body: body[:-9], lambda body: body[:40] + b"x" + body[41:], lambda _: b""])
def test_of_a_damaged_parquet_the_json_is_read_and_the_damage_named(store, damage):
    whole = gather(store, "mail")
    compact(store)
    (key,) = store.keys("parquet/v1/task=mail/")
    (store.root / key).write_bytes(damage(store.get(key)))
    gathered, read = gather(store, "mail"), list(read_outcomes(store, "mail"))

    assert gathered.evidence == whole.evidence
    assert [one.key for one in gathered.unreadable] == [key]
    assert read[0] == gathered.unreadable[0]
    assert len(read) == 2


def other_columns():
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize("body", [other_columns(), b"PAR1, says somebody"], ids=["other columns", "no Parquet"])
def test_a_parquet_of_something_else_is_not_believed(store, body):
    """Its name is right, and what stands there is not ours."""
    compact(store)
    (key,) = store.keys("parquet/v1/task=mail/")
    (store.root / key).unlink()
    store.put_once(f"{key.rpartition('/')[0]}/1-{columns.hashlib.sha256(body).hexdigest()}.parquet", body)
    gathered = gather(store, "mail")

    assert len(gathered.evidence) == len(gathered.unreadable) == 1
    assert "no Parquet file of outcomes" in gathered.unreadable[0].problem


def test_evidence_of_another_version_is_worked_out_anew(store, monkeypatch):
    """The columns are those of then; the outcomes beside them are the same for ever."""
    whole = gather(store)
    monkeypatch.setattr(columns, "_NOTE", b"0,of-long-ago")
    columns._schema.cache_clear()
    compact(store)
    monkeypatch.undo()
    columns._schema.cache_clear()

    assert gather(store) == whole


def test_an_object_that_is_no_outcome_is_named_and_stays(store):
    store.put_once("outcomes/v1/task=mail/dt=2026-01-02/bad.json", b"{")
    done = compact(store, task="mail")

    assert [one.key for one in done.unreadable] == ["outcomes/v1/task=mail/dt=2026-01-02/bad.json"]
    assert [one.outcomes for one in done.days] == [1]
    assert [one.key for one in gather(store, "mail").unreadable] == [done.unreadable[0].key]


def test_a_dry_run_says_what_would_be_copied(store):
    done = compact(store, task="mail", dry_run=True)

    assert done.days == (Compacted(task="mail", date="2026-01-02", outcomes=1, key=None, size_bytes=None),)
    assert parquet(store) == []


def test_the_stored_bytes_stand_in_the_row_to_the_letter(store):
    (done,) = compact(store, task="mail").days
    row = pq.read_table(Path(store.root, done.key), partitioning=None).to_pylist()[0]

    assert row["outcome"].encode() == store.get("outcomes/v1/task=mail/dt=2026-01-02/c.json")
    assert (row["final_answer"], row["decision"], row["decided_at"]) == ('{"total":12.5}', "accept", NOON)


def test_the_command_compacts_and_says_so(store, capsys):
    with pytest.raises(SystemExit) as done:
        main(["compact", "--store", store.url])
    said = capsys.readouterr().out

    assert done.value.code == 0
    assert "4 outcomes of 3 days are in Parquet now." in said


def test_without_pyarrow_json_is_read_and_compacting_says_what_to_install(store, monkeypatch):
    whole = gather(store)
    compact(store, task="invoices")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    assert gather(store) == whole
    assert len(list(read_outcomes(store))) == 4
    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[parquet\]'"):
        compact(store)


DOCS = (Path(__file__).parents[2] / "docs" / "reporting.md").read_text("utf-8")


@pytest.fixture
def in_the_docs_folder(store, monkeypatch):
    """A folder with a compacted store named `outcomes`."""
    put(store, outcome("e", **{**REVIEWED, "decision": "edit", "final_answer": {"total": 3}}))
    compact(store)
    store.root.parent.joinpath("outcomes").symlink_to(store.root)
    monkeypatch.chdir(store.root.parent)


def test_duckdb_answers_what_the_docs_ask(in_the_docs_folder):
    per_model, edited = re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL)

    assert duckdb.sql(per_model).fetchall() == [
        ("invoices", "gpt-5-mini", 4, 0.667, None),
        ("mail", "gpt-5-mini", 1, None, None),
    ]
    assert duckdb.sql(edited).fetchall() == [("e", "3", "")]


def test_pandas_reads_what_the_docs_read(in_the_docs_folder):
    (code,) = re.findall(r"```console\n\$ python\n(.*?)```", DOCS, re.DOTALL)
    example = doctest.DocTestParser().get_doctest(code, {}, "docs", "docs/reporting.md", 0)

    assert doctest.DocTestRunner().run(example).failed == 0
