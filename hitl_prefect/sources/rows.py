"""Cases from the rows of a CSV file: RFC 4180, in UTF-8, the columns named in the first row."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from hitl_prefect.case_lines import LONGEST_BYTES, SHOWN, BadLine, Common, Read, lines_of
from hitl_prefect.errors import ConfigError

__all__ = ["check_columns", "csv_cases", "fields_of"]

_OWN = ("id", "prompt", "requester")


class _Row(NamedTuple):
    number: int
    """The line where it begins."""
    text: str
    cells: list[str]
    problem: str


def csv_cases(file: BinaryIO, common: Common) -> Iterator[Read]:
    """The cases of a CSV file; empty lines are skipped.

    Raises:
        ConfigError: If the first row does not name the columns that are needed.
    """
    rows = _rows(file)
    columns = _header(next(rows, None))
    return (_case(row, columns, common) for row in rows)


def check_columns(columns: Sequence[str], own: Sequence[str]) -> None:
    """Refuse columns that tell no cases.

    Args:
        columns: What the file has.
        own: What a case has of its own; where `messages` is one of them, it may stand in place of `prompt`.

    Raises:
        ConfigError: If `id` or `prompt` is missing, or a column has no name or that of another.
    """
    needed = ("id", "messages" if "messages" in own and "messages" in columns else "prompt")
    if missing := [name for name in needed if name not in columns]:
        raise ConfigError(f"there is no column {missing[0]!r}; the columns, set apart by commas, are {list(columns)}")
    if odd := [name for name in columns if not name or columns.count(name) > 1]:
        raise ConfigError(f"{len(odd)} columns have no name or that of another: rename {sorted(set(odd))}")


def fields_of(row: Mapping[str, Any], own: Sequence[str]) -> dict[str, Any]:
    """The fields of a case; a column that is none of its own is metadata."""
    given = {name: row[name] for name in own if row.get(name) is not None}
    return {**given, "metadata": {name: value for name, value in row.items() if name not in own}}


def _header(row: _Row | None) -> list[str]:
    if row is None:
        raise ConfigError("it is empty: the first row names the columns, id and prompt among them")
    if row.problem:
        raise ConfigError(f"the first row, which names the columns: {row.problem}")
    check_columns(row.cells, _OWN)
    return row.cells


def _case(row: _Row, columns: list[str], common: Common) -> Read:
    problem = row.problem
    if not problem and len(row.cells) != len(columns):
        problem = f"row: {len(row.cells)} columns, where the first row names {len(columns)}"
    if problem:
        return BadLine.of(row.number, row.text, problem)
    # A CSV file cannot tell an empty text from none.
    given = (cell or None for cell in row.cells)
    return common.read(row.number, fields_of(dict(zip(columns, given, strict=True)), _OWN), row.text)


def _rows(file: BinaryIO) -> Iterator[_Row]:
    # It holds for the whole process, and is 131,072 characters by default: raised, never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_BYTES))
    lines = _RowLines(file)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin_row()
        try:
            cells, problem = next(reader), lines.problem
        except StopIteration:
            return
        except csv.Error as exc:
            cells, problem = [], f"row: no CSV in {lines.where}: {exc}"
        except _TooLong:
            cells, problem = [], f"row: longer than {LONGEST_BYTES:,} bytes, {lines.where}; is a quote left open?"
        if cells or problem:
            yield _Row(lines.first, lines.text, cells, problem)


class _TooLong(Exception):
    """A row has more than anybody wants to hold."""


class _RowLines:
    """The lines of the file for the `csv` module, and what it has taken of them for the row that it reads."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = lines_of(file)
        self._last = 0
        self.begin_row()

    def begin_row(self) -> None:
        self.first, self.text, self.problem, self._length = self._last + 1, "", "", 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        # No generator: that would be over once `_TooLong` was raised.
        line = next(self._lines)
        self._last = line.number
        self.problem = self.problem or line.problem
        self._length += len(line.text)
        if len(self.text) < SHOWN:
            self.text += line.text
        if not line.whole or self._length > LONGEST_BYTES:
            raise _TooLong
        return line.text

    @property
    def where(self) -> str:
        return f"line {self.first}" if self.first == self._last else f"lines {self.first} to {self._last}"
