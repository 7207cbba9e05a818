"""Who may write into a store can lie, and is found; nothing that stands there stops a report or leaves the store."""

import hashlib
import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from hitl_prefect import columns
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.compacting import compact
from hitl_prefect.errors import ConfigError, OutcomeConflict
from hitl_prefect.gathering import gather
from hitl_prefect.models import Case
from hitl_prefect.outcomes import outcome_key
from hitl_prefect.reading import Unreadable, read_outcomes
from hitl_prefect.stores.folder import FolderStore
from tests.unit.making import an_outcome

OUTCOME = an_outcome()
KEY = outcome_key(OUTCOME)
HONEST = columns._row(canonical_bytes(OUTCOME), OUTCOME)


@pytest.fixture
def store(tmp_path):
    found = FolderStore(tmp_path / "store")
    found.write(KEY, canonical_bytes(OUTCOME))
    return found


def forge(store, table):
    """A Parquet of the day whose name fits its bytes."""
    file = io.BytesIO()
    parquet.write_table(table, file)
    body = file.getvalue()
    folder = KEY.removeprefix("outcomes/v1/").rpartition("/")[0]
    store.write(f"parquet/v1/{folder}/1-{hashlib.sha256(body).hexdigest()}.parquet", body)


def changed(**values):
    """The honest row but for some columns, in the schema that is ours."""
    schema = columns._schema()
    arrays = [pa.array([(HONEST | values)[one.name]]).cast(one.type) for one in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"case_id": ["c1"], "outcome": [1]}),
        pa.table({"case_id": [1], "outcome": ["{}"]}),
        pa.table({"case_id": ["c1"]}),
        pa.table(
            {"case_id": ["c1"], "outcome": ["{}"]},
            schema=columns._schema().empty_table().select(["case_id", "outcome"]).schema,
        ),
        changed(decided_at=None),
        changed(decided_at=2**62),
        changed(propensity=None),
        changed(propensity=float("nan")),
        changed(confidence=7.0),
        changed(max_error=0.0, confidence_level=0.9),
        changed(how="nobody knows"),
        changed(reason=None),
        changed(cost_usd=-1.0),
    ],
    ids=[
        "numbers",
        "ids",
        "none",
        "half",
        "no day",
        "no such day",
        "null",
        "NaN",
        "7",
        "promise",
        "how",
        "why",
        "cost",
    ],
)
def test_a_forged_parquet_is_named_and_the_json_is_read(store, table):
    """Its name is right and what stands in it is not: who can write an object can name it."""
    forge(store, table)
    gathered = gather(store)

    assert [one.case_id for one in gathered.evidence] == ["c1"]
    assert [one.key.startswith("parquet/v1/") for one in gathered.unreadable] == [True]


def test_an_outcome_that_is_null_in_a_forged_parquet_is_named(store):
    forge(store, pa.table({"case_id": pa.array(["c1"]), "outcome": pa.array([None], pa.string())}))

    assert [type(one) for one in read_outcomes(store)] == [Unreadable]


def test_an_honest_parquet_is_believed(store):
    compact(store)

    assert gather(store).unreadable == []


@pytest.mark.parametrize(
    "name", ["../c1", "..", ".hidden", "a/b", "a\\b", "C:c1", "c1\x00", "c1\n", "", "-x", "a..b", "\u2025"]
)
def test_a_case_id_is_no_path(name):
    with pytest.raises(ValueError, match=r"case id|pattern"):
        Case(id=name, task="mail", prompt="Who?")


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "a\\..\\x", "a\x00", ".x"])
def test_no_key_leaves_the_folder_of_its_store(store, key):
    for act in (
        store.get,
        store.stands,
        store.discard,
        lambda one: store.write(one, b""),
        lambda one: store.put_once(one, b""),
    ):
        with pytest.raises(ConfigError):
            act(key)


def test_an_outcome_is_never_overwritten_nor_deleted(store):
    """Whoever has the store's keys can do that past us: the ledger and object lock find it and forbid it."""
    with pytest.raises(OutcomeConflict):
        store.put_once(KEY, b"{}")
    with pytest.raises(ConfigError, match="outcomes are never deleted"):
        store.discard(KEY)

    assert store.get(KEY) == canonical_bytes(OUTCOME)
