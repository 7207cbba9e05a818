"""Cases from the rows of a Parquet file: needs the extra `parquet`."""

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO

from hitl_prefect.case_lines import BadLine, Common, Read
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.sources.rows import check_columns, fields_of

__all__ = ["parquet_cases"]

_OWN = ("id", "prompt", "messages", "requester")
_ROWS = 200
"""Held at a time."""
_BUFFER_BYTES = 1 << 18
"""Per column; without, a whole column of a row group is read at once."""
_UNREADABLE = (ValueError, OverflowError, LookupError)
"""What a value raises that Python cannot hold: no UTF-8, a year after 9999, a time zone that nobody knows."""


def parquet_cases(file: BinaryIO, common: Common) -> Iterator[Read]:
    """The cases of a Parquet file, a few rows at a time.

    Raises:
        ConfigError: If it is no Parquet file, is damaged, a column that is needed is missing, or one has a time zone
            that is unknown here.
        MissingExtra: If pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as exc:
        raise MissingExtra("Parquet files need pyarrow: pip install 'hitl_prefect[parquet]'") from exc
    try:
        table = ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True)
        check_columns(table.schema_arrow.names, _OWN)
        _check_zones(table.schema_arrow)
        rows = (row for batch in table.iter_batches(_ROWS, use_threads=False) for row in _rows(batch))
        for number, row in enumerate(rows, 1):
            yield _case(number, row, common)
    except (ArrowException, UnicodeDecodeError) as exc:  # the latter where a column's name is damaged
        raise ConfigError(f"it is no whole Parquet file: {exc}") from exc


def _check_zones(schema: Any) -> None:
    """Before any row is read: none of them could be, of such a column."""
    import pyarrow

    for field in schema:
        zone = getattr(field.type, "tz", None)
        if not zone:
            continue
        try:
            pyarrow.scalar(0, field.type).as_py()
        except _UNREADABLE as exc:
            raise ConfigError(
                f"column {field.name!r} has the time zone {zone!r}, which is unknown here: write it anew in UTC"
            ) from exc


def _rows(batch: Any) -> Iterator[dict[str, Any] | Exception]:
    """The rows of a batch; for one that Python cannot read, what is wrong with it."""
    try:
        rows = batch.to_pylist()
    except _UNREADABLE:
        rows = (_row(batch.slice(at, 1)) for at in range(batch.num_rows))
    yield from rows


def _row(single: Any) -> dict[str, Any] | Exception:
    try:
        return dict(single.to_pylist()[0])
    except _UNREADABLE as exc:
        return exc


def _case(number: int, row: dict[str, Any] | Exception, common: Common) -> Read:
    if isinstance(row, Exception):
        return BadLine.of(number, "", f"row: cannot be read: {row}")
    plain = {name: _plain(value) for name, value in row.items()}
    plain["id"] = str(row["id"]) if type(row["id"]) is int else row["id"]
    return common.read(number, fields_of(plain, _OWN), row)


def _plain(value: Any) -> Any:
    """Days, times and decimal numbers as text, to the letter."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
