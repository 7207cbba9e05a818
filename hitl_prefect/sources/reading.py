"""Cases from a source, one at a time."""

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hitl_prefect.case_lines import BadLine, Common, Read, json_cases
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.models import Case
from hitl_prefect.sources.places import Place, place_of
from hitl_prefect.sources.rows import csv_cases
from hitl_prefect.sources.tables import parquet_cases

__all__ = ["Source", "read_cases"]

Source = str | Path | Iterable[Case | Mapping[str, Any]]
"""A path, an `s3://` URL, or cases: as `Case`, or as mappings with the fields of a line."""

_FORMATS = {
    ".jsonl": json_cases,
    ".ndjson": json_cases,
    ".jsonl.gz": json_cases,
    ".ndjson.gz": json_cases,
    ".csv": csv_cases,
    ".csv.gz": csv_cases,
    ".parquet": parquet_cases,
}


def read_cases(source: Source, *, task: str, answer: Any = str, instructions: str = "") -> Iterator[Read]:
    """The cases of a source in its order, and its bad lines, as a stream: memory stays flat.

    Nothing is opened before the first is taken. Ids that occur twice are not looked for.

    Args:
        source: A path or `s3://bucket/key` with the parameters of a store's URL, that ends in `.jsonl`, `.ndjson`,
            `.csv` (each also with `.gz`) or `.parquet`; or an iterable of `Case` and mappings.
        task: What kind of cases these are, as a slug.
        answer: The type of the answers.
        instructions: The system prompt of all cases; it stands in front of what a case brings along.

    Returns:
        `(number, case)` or a `BadLine`. The number is that of the line where the case begins, in Parquet that of the
        row, in an iterable that of the element; from 1, and growing.

    Raises:
        ConfigError: If the source cannot be read: no such file or object, an unknown ending, a missing column, a
            damaged file, or an object that was changed while it was read.
        MissingExtra: If Parquet needs a package that is not installed.
        StoreUnavailable, StoreDenied: As for any object of a store.

    >>> list(read_cases([{"id": "c1", "prompt": "Who?"}, {"id": "c 2", "prompt": "Who?"}], task="mail"))[1].problems
    ("id: String should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'",)
    """
    common = Common.of(task, answer, instructions)
    if isinstance(source, str | Path):
        return _from_place(place_of(source, tuple(_FORMATS)), common)
    if isinstance(source, Case | Mapping | bytes) or not isinstance(source, Iterable):
        raise ConfigError(f"a source is a path, an s3:// URL, or a list of cases, not one {type(source).__name__}")
    return (_element(number, one, common) for number, one in enumerate(source, 1))


def _from_place(place: Place, common: Common) -> Iterator[Read]:
    with _named(place), place.opened() as file:
        yield from _FORMATS[place.ending](file, common)


@contextlib.contextmanager
def _named(place: Place) -> Iterator[None]:
    """Say which source it is that cannot be read."""
    try:
        yield
    except MissingExtra:
        raise
    except (ConfigError, OSError, EOFError, zlib.error) as exc:
        raise ConfigError(f"cannot read cases from {place.name!r}: {exc}") from exc


def _element(number: int, element: object, common: Common) -> Read:
    if isinstance(element, Case):
        return common.adopted(number, element)
    if isinstance(element, Mapping):
        return common.read(number, element, element)
    return BadLine.of(number, element, f"element: neither a Case nor a mapping but a {type(element).__name__}")
