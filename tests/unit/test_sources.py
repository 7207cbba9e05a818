"""Cases from files of every format, and from what can be iterated: what is read, and what is said of the rest."""

import csv
import gzip
import io
import json
import re
import sys
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from hitl_prefect import Case, Message
from hitl_prefect.case_lines import LONGEST_BYTES
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.sources import BadLine, read_cases

FIRST = {"id": "a", "prompt": 'Who wrote\n"Ö"?', "requester": "ada", "city": "Zürich"}
SECOND = {"id": "b", "prompt": "When, then?", "requester": None, "city": None}


def a_case(row, *system):
    """The case of a row, in the shape of every source."""
    return Case(
        id=row["id"],
        task="mail",
        prompt=(*system, Message(role="user", content=row["prompt"])),
        metadata={"city": row["city"]},
        requester=row["requester"],
    )


def as_jsonl(*rows):
    lines = ({**row, "metadata": {"city": row["city"]}} for row in rows)
    return "\n".join(json.dumps({k: v for k, v in line.items() if k != "city"}) for line in lines).encode()


def as_csv(*rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def as_parquet(*rows, **options):
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=1_000, **options)
    return file.getvalue()


def table_of(columns):
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def read(path: Path, content: bytes, **common):
    path.write_bytes(content)
    return list(read_cases(path, task="mail", **common))


def problems(path: Path, content: bytes):
    """Number and problems of every line that is bad, and the ids of the rest."""
    lines = read(path, content)
    return [one if isinstance(one, BadLine) else one[1].id for one in lines]


@pytest.mark.parametrize(
    ("name", "content", "second"),
    [
        ("cases.jsonl", as_jsonl(FIRST, SECOND), 2),
        ("CASES.NDJSON", b"\xef\xbb\xbf" + as_jsonl(FIRST, SECOND) + b"\r\n\r\n", 2),
        ("cases.jsonl.gz", gzip.compress(as_jsonl(FIRST, SECOND), mtime=0), 2),
        ("cases.csv", as_csv(FIRST, SECOND), 4),
        ("cases.csv.gz", gzip.compress(as_csv(FIRST, SECOND), mtime=0), 4),
        ("cases.parquet", as_parquet(FIRST, SECOND), 2),
    ],
)
def test_every_format_tells_the_same_cases(tmp_path, name, content, second):
    """The number is that of the line where a case begins: a quoted line break in a CSV file moves the next one."""
    first = {".csv": 2}.get(name.removeprefix("cases").removesuffix(".gz"), 1)

    assert read(tmp_path / name, content) == [(first, a_case(FIRST)), (second, a_case(SECOND))]


def test_a_list_tells_cases_as_they_are_and_as_mappings():
    """Instructions stand in front of either."""
    system = Message(role="system", content="Be brief.")
    cases = (Case(id="a", task="mail", prompt="A?", variants=("A, then?",)), {"id": "b", "prompt": "B?"})
    (_, first), (_, second) = read_cases(iter(cases), task="mail", answer=bool, instructions="Be brief.")

    asked = Message(role="user", content="A?")
    again = Message(role="user", content="A, then?")
    assert first == Case(id="a", task="mail", prompt=(system, asked), variants=((system, again),), answer=bool)
    assert second == Case(id="b", task="mail", prompt=(system, Message(role="user", content="B?")), answer=bool)


def test_a_line_or_a_row_of_parquet_may_tell_a_whole_conversation(tmp_path):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    line = {"id": "a", "messages": messages}
    of_lines = read(tmp_path / "cases.jsonl", json.dumps(line).encode())
    of_rows = read(tmp_path / "cases.parquet", as_parquet(line))

    assert of_lines == [(1, Case(id="a", task="mail", prompt=tuple(map(Message.model_validate, messages))))]
    assert of_rows == of_lines


LONG = b'{"id": "x", "prompt": "' + b"x" * LONGEST_BYTES + b'"}'
FACT = "Input should be a text, a finite number, true, false or null"
ONE_OF_BOTH = "messages: Input should be a prompt or messages: one of both, not both"
ID = "id: String should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{half", "line: no JSON: key must be a string at character 2"),
        (b"[1]", "line: no JSON object but a list"),
        (b'{"id": "\xff"}', "line: no UTF-8 at byte 9"),
        (b'{"id": "\\ud800"}', "line: no JSON: unexpected end of hex escape at character 15"),
        (b"[" * 5000, "line: no JSON: recursion limit exceeded at character 202"),
        (LONG, "line: longer than 10,000,000 bytes"),
        (b'{"id": "../x", "prompt": "X?"}', ID),
        (b'{"id": "a..b", "prompt": "X?"}', "id: Value error, a case id holds no '..'"),
        (b'{"id": 7, "prompt": "X?"}', "id: Input should be a valid string"),
        (b'{"prompt": "X?"}', "id: Field required"),
        (b'{"id": "x"}', ONE_OF_BOTH),
        (b'{"id": "x", "prompt": "X?", "messages": [{"role": "user", "content": "X?"}]}', ONE_OF_BOTH),
        (b'{"id": "x", "prompt": ""}', "prompt: String should have at least 1 character"),
        (b'{"id": "x", "prompt": "X?", "answer": 1}', "answer: Extra inputs are not permitted"),
        (b'{"id": "x", "prompt": "X?", "metadata": {"n": NaN}}', "line: no JSON: expected value at character 47"),
        (b'{"id": "x", "prompt": "X?", "metadata": {"n": 1e999}}', f"metadata.n: {FACT}"),
        (b'{"id": "x", "prompt": "X?", "metadata": {"n": [1]}}', f"metadata.n: {FACT}"),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_a_bad_line_of_json_is_told_and_the_rest_goes_on(tmp_path, line, said):
    first, bad, last = problems(tmp_path / "cases.jsonl", as_jsonl(FIRST) + b"\n" + line + b"\n" + as_jsonl(SECOND))

    assert (first, bad.number, bad.problems, last) == ("a", 2, (said,), "b")
    assert len(bad.text) <= 2_010
    assert bad.text.startswith(line[:8].decode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("row", "said", "last"),
    [
        (b"x,X?,ada,Bern,5\n", "row: 5 columns, where the first row names 4", "b"),
        (b"x\n", "row: 1 columns, where the first row names 4", "b"),
        (b'x,"X?" he said,,\n', "row: no CSV in line 2: ',' expected after '\"'", "b"),
        (b"x,\xff?,,\n", "line: no UTF-8 at byte 3", "b"),
        (b'x,"\n\xff?",,\n', "line: no UTF-8 at byte 1", "b"),
        (b",X?,,\n", "id: Field required", "b"),
        (b"x,,,\n", ONE_OF_BOTH, "b"),
        (
            b"x," + b"x" * LONGEST_BYTES + b",,\n",
            "row: longer than 10,000,000 bytes, line 2; is a quote left open?",
            "b",
        ),
        (
            b'x,"' + (b"open" * 2_500 + b"\n") * 1_000,
            "row: longer than 10,000,000 bytes, lines 2 to 1001; is a quote left open?",
            "b",
        ),
        (b'x,"left open,,\n', "row: no CSV in lines 2 to 3: unexpected end of data", None),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_a_bad_row_is_told_and_the_rest_goes_on(tmp_path, row, said, last):
    """A quote that is left open takes what follows with it: nothing of that is taken for a case."""
    bad, *rest = problems(tmp_path / "cases.csv", b"id,prompt,requester,city\n" + row + b"b,B?,,\n")

    assert (bad.number, bad.problems, rest) == (2, (said,), [last] if last else [])


def test_a_bad_row_of_parquet_is_told_and_the_rest_goes_on(tmp_path):
    """Numbers of a day, of money and of a case come as text; what Python cannot read is a bad row."""
    prompts = pyarrow.array([b"A?", b"\xff", b"C?", b"D?"])
    columns = {
        "id": [1, 2, None, 4],
        "prompt": pyarrow.StringArray.from_buffers(4, *prompts.buffers()[1:]),
        "due": [datetime(2026, 1, 2, tzinfo=UTC)] * 4,
        "price": [Decimal("1.50")] * 4,
        "share": [0.5, 0.5, 0.5, float("nan")],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "cases.parquet")
    (number, first), *bad = read_cases(tmp_path / "cases.parquet", task="mail")

    assert (number, first.id) == (1, "1")
    assert first.metadata == {"due": "2026-01-02T00:00:00+00:00", "price": "1.50", "share": 0.5}
    assert [(one.number, one.problems[0].split(":")[0]) for one in bad] == [
        (2, "row"),
        (3, "id"),
        (4, "metadata.share"),
    ]


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        (2**30, pyarrow.date32()),
        (2**62, pyarrow.timestamp("us")),
        (2**50, pyarrow.timestamp("s")),
        (-(2**50), pyarrow.timestamp("s", tz="UTC")),
    ],
)
def test_a_day_that_python_cannot_tell_is_one_bad_row(tmp_path, odd, kind):
    """Years after 9999 end neither the rows around it nor the file."""
    kinds = {32: pyarrow.int32(), 64: pyarrow.int64()}
    days = pyarrow.array([0, odd, 0], kinds[kind.bit_width]).cast(kind)
    columns = {"id": ["a", "b", "c"], "prompt": ["Who?"] * 3, "due": days}
    first, bad, last = read(tmp_path / "cases.parquet", table_of(columns))

    assert (first[0], last[0], bad.number) == (1, 3, 2)
    assert bad.problems[0].startswith("row: cannot be read: ")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc", "+99:00"])
def test_a_column_of_an_unknown_time_zone_is_named(tmp_path, zone):
    due = pyarrow.array([None, 0], pyarrow.timestamp("us", tz=zone))
    content = table_of({"id": ["a", "b"], "prompt": ["Who?"] * 2, "due": due})

    with pytest.raises(ConfigError, match=rf"cases\.parquet.*column 'due' .*{re.escape(zone)}"):
        read(tmp_path / "cases.parquet", content)


def test_an_unknown_time_zone_within_a_value_is_a_bad_row(tmp_path):
    kind = pyarrow.struct([("at", pyarrow.timestamp("us", tz="Mars/Olympus"))])
    due = pyarrow.array([None, {"at": 0}], kind)
    first, bad = read(tmp_path / "cases.parquet", table_of({"id": ["a", "b"], "prompt": ["Who?"] * 2, "due": due}))

    assert (first[0], bad.number) == (1, 2)


def test_an_element_that_tells_no_case_is_told_and_the_rest_goes_on():
    """A case of another task or answer would be decided by the wrong policy."""
    elements = [
        7,
        {"id": "x"},
        {"id": "x", "prompt": "X?", "metadata": {"n": float("inf")}},
        {"\ud800": "x"},
        Case(id="x", task="other", prompt="X?", answer=int, metadata={"n": float("nan")}),
        {"id": "b", "prompt": "B?"},
    ]
    *bad, (number, last) = read_cases(elements, task="mail", answer=bool)

    assert (number, last.id) == (6, "b")
    assert [(one.number, len(one.problems)) for one in bad] == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 3)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cases.xlsx", b"", r"cannot tell the format of .*cases\.xlsx.*\.csv\.gz, \.parquet"),
        ("cases.csv", b"", "it is empty: the first row names the columns"),
        ("cases.csv", b"id;prompt\n", r"no column 'id'; the columns, set apart by commas, are \['id;prompt'\]"),
        ("cases.csv", b"id,prompt,id,\n", r"3 columns have no name or that of another: rename \['', 'id'\]"),
        ("cases.csv", "id,prompt\n".encode("utf-16"), "the first row, which names the columns: line: no UTF-8"),
        ("cases.jsonl.gz", b"plain", "Not a gzipped file"),
        ("cases.jsonl.gz", gzip.compress(as_jsonl(FIRST) * 99, mtime=0)[:-9], "Compressed file ended"),
        ("cases.parquet", b"no table", "no whole Parquet file"),
        ("cases.parquet", as_parquet({"id": "a"}), r"no column 'prompt'.*\['id'\]"),
        ("cases.parquet", as_parquet(FIRST)[:-30], "Parquet"),
        ("cases.parquet", as_parquet(FIRST).replace(b"prompt", b"promp\xff"), "no whole Parquet file"),
        (
            "cases.parquet",
            as_parquet(FIRST, write_page_checksum=True, compression="none").replace(b"Who", b"Why"),
            "checksum",
        ),
    ],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path, name, content, said):
    """It says which source it is, and what to change."""
    with pytest.raises(ConfigError, match=said) as refused:
        read(tmp_path / name, content)

    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("/no/such/cases.csv", r"cannot read cases from '/no/such/cases\.csv'.*No such file"),
        ("/", "cannot tell the format of '/'"),
        ("https://example.org/cases.csv", "not from 'https://': copy the file first"),
        ("s3://bucket", "names no object"),
        ("s3://bucket/cases.txt", "cannot tell the format of 's3://bucket/cases.txt'"),
        ("s3://key:secret@bucket/cases.csv", "keys do not belong into a URL"),
        ({"id": "a", "prompt": "A?"}, "not one dict"),
        (Case(id="a", task="mail", prompt="A?"), "not one Case"),
        (7, "not one int"),
    ],
    ids=str,
)
def test_what_is_no_source_is_refused(source, said):
    with pytest.raises(ConfigError, match=said):
        list(read_cases(source, task="mail"))


def test_parquet_without_pyarrow_names_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[parquet\]'"):
        read(tmp_path / "cases.parquet", b"")


def test_a_task_that_is_no_slug_is_refused_before_anything_is_read():
    with pytest.raises(ConfigError, match="'My Mail' is no task: a task is a slug such as 'my-mail'"):
        read_cases("cases.csv", task="My Mail")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1)
rows = st.lists(
    st.fixed_dictionaries({"prompt": texts, "requester": st.none() | texts, "city": st.none() | texts}), max_size=5
)


@given(rows, st.sampled_from(["jsonl", "csv", "parquet"]))
def test_what_was_written_is_what_is_read(tmp_path_factory, given_rows, ending):
    """Quotes, commas, line breaks and all other characters come through every format."""
    numbered = [{"id": f"c{number}", **row} for number, row in enumerate(given_rows)]
    head = {"id": "head", "prompt": "x", "requester": "x", "city": "x"}
    content = {"jsonl": as_jsonl, "csv": as_csv, "parquet": as_parquet}[ending](head, *numbered)
    path = tmp_path_factory.getbasetemp() / f"cases.{ending}"

    assert [case for _, case in read(path, content)] == [a_case(row) for row in (head, *numbered)]


@pytest.mark.parametrize("ending", ["jsonl", "csv.gz", "parquet"])
def test_memory_is_flat(tmp_path, ending):
    """Six times as many lines need no more memory at any moment, whoever allocates it."""
    few, many = tmp_path / f"few.{ending}", tmp_path / f"many.{ending}"
    _write(few, 1_000)
    _write(many, 6_000)
    _peak_bytes(few)

    assert _peak_bytes(many) < 1.2 * _peak_bytes(few)


def _write(path: Path, count: int) -> None:
    rows = [{**SECOND, "id": f"c{number}", "prompt": f"{number:0300}"} for number in range(count)]
    made = {"jsonl": as_jsonl, "csv.gz": as_csv, "parquet": as_parquet}[path.name.partition(".")[2]](*rows)
    path.write_bytes(gzip.compress(made) if path.suffix == ".gz" else made)


def _peak_bytes(path: Path) -> int:
    peak = 0
    tracemalloc.start()
    try:
        for _ in read_cases(path, task="mail"):
            peak = max(peak, pyarrow.total_allocated_bytes())
        return peak + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
