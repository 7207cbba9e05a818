"""Outcomes as the columns of a Parquet file, and back: needs the extra `parquet`.

A row holds the evidence of an outcome, what else people ask about in SQL, and the outcome's own bytes. Task and day
stand in the key (`task=.../dt=...`), where DuckDB, pandas and Spark look for them, and in no column.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from itertools import repeat
from math import inf
from typing import Any, get_args

from pydantic import JsonValue
from pydantic_core import to_json

from hitl_prefect.days import Day, ParquetName
from hitl_prefect.errors import MissingExtra
from hitl_prefect.evidence import Evidence, How, Key, evidence_of, first_attempt
from hitl_prefect.models import Promise, RouteReason
from hitl_prefect.outcomes import Outcome

__all__ = ["Columns", "Spoiled", "can_read", "parquet_of"]

_MEANING = 2
"""Raise it when `evidence_of` says something else of the same outcome: older files then tell their outcomes only."""
_NOTED = b"hitl.evidence"
_ROWS_AT_ONCE = 4096
_KEY = ("model", "prompt", "scorer")
_PROMISE = ("max_error", "confidence_level")
_EVIDENCE = tuple(one.name for one in fields(Evidence) if one.name not in ("key", "promise"))
_COLUMNS = tuple("was_right" if name == "right" else name for name in _EVIDENCE)
"""`right` is a word of SQL."""
_WORDS = {
    "action": frozenset(("accept", "review")),
    "reason": frozenset(get_args(RouteReason)),
    "how": frozenset(get_args(How)),
}
_SHARES = ("confidence", "propensity", "bar", *_PROMISE)
_MAY_BE_NULL = {"confidence", "was_right", "bar", "cost_usd", *_PROMISE}
_NOTE = ",".join((str(_MEANING), *_KEY, *_PROMISE, *_COLUMNS)).encode()


_USED = (*_KEY, *_COLUMNS, *_PROMISE, "outcome")


class Spoiled(Exception):
    """A Parquet object is not what was written."""


def can_read() -> bool:
    """Whether pyarrow is installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def parquet_of(outcomes: Iterable[tuple[bytes, Outcome[JsonValue]]]) -> bytes:
    """The Parquet file of some outcomes, in their order; the same outcomes and pyarrow give the same bytes.

    Args:
        outcomes: The bytes that are stored, and what they say; taken a few thousand at a time.

    Raises:
        MissingExtra: If pyarrow is not installed.
    """
    pa, pq = _pyarrow()
    sink, schema = io.BytesIO(), _schema()
    with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        rows: list[dict[str, Any]] = []
        for stored, outcome in outcomes:
            rows.append(_row(stored, outcome))
            if len(rows) == _ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return sink.getvalue()


class Columns:
    """A Parquet object of a day, opened and found whole."""

    def __init__(self, day: Day, name: ParquetName, body: bytes) -> None:
        """Open it.

        Raises:
            Spoiled: If the bytes are not those that were written, or no such file.
        """
        if hashlib.sha256(body).hexdigest() != name.sha256:
            raise Spoiled("its sha256 is not the one in its name")
        pa, pq = _pyarrow()
        try:
            self._file = pq.ParquetFile(pa.BufferReader(body))
            self._holds_evidence = (self._file.schema_arrow.metadata or {}).get(_NOTED) == _NOTE
            _check_columns(self._file.schema_arrow, _USED if self._holds_evidence else ("case_id", "outcome"))
            self.keys: list[str] = [f"{day.prefix}{one}.json" for one in self._column("case_id")]
        except (pa.ArrowException, UnicodeDecodeError, KeyError) as exc:
            raise Spoiled(f"it is no Parquet file of outcomes: {exc}") from exc
        self._task, self.key = day.task or "", name.key

    def evidence(self) -> Iterator[tuple[str, Evidence]]:
        """The evidence of every outcome, with its key; the outcomes themselves stay unread.

        Of a file that another version wrote the outcomes are read after all; one that cannot be is left out, and its
        JSON will say why.

        Raises:
            Spoiled: If it holds what is no evidence: whoever may write into the store may have written it.
        """
        if not self._holds_evidence:
            yield from self._evidence_of_outcomes()
            return
        rows = zip(*map(self._column, _COLUMNS), strict=True)
        keys = map(_key_of, repeat(self._task), *map(self._column, _KEY))
        promises = map(_promise_of, *map(self._column, _PROMISE))
        for name, key, promise, row in zip(self.keys, keys, promises, rows, strict=True):
            yield name, Evidence(key=key, promise=promise, **dict(zip(_EVIDENCE, row, strict=True)))

    def outcomes(self) -> Iterator[tuple[str, bytes]]:
        """The bytes of every outcome, with its key, a few thousand at a time."""
        batches = self._file.iter_batches(_ROWS_AT_ONCE, columns=["case_id", "outcome"], use_threads=False)
        keys = iter(self.keys)
        for batch in batches:
            for one in batch.column("outcome"):
                yield next(keys), (one.as_py() or "").encode()

    def _evidence_of_outcomes(self) -> Iterator[tuple[str, Evidence]]:
        for key, stored in self.outcomes():
            with suppress(ValueError):
                yield key, evidence_of(Outcome[JsonValue].model_validate_json(stored))

    def _column(self, name: str) -> list[Any]:
        try:
            values = self._values(name)
        except (OverflowError, TypeError, ValueError) as exc:
            raise Spoiled(f"its column {name} holds what is none of its values") from exc
        _check_values(name, values)
        return values

    def _values(self, name: str) -> list[Any]:
        column = self._file.read([name], use_threads=False).column(name)
        if name == "decided_at":
            # As numbers: pyarrow takes four times as long to make datetimes.
            return [_moment(one) for one in column.cast("int64").to_pylist()]
        # Few words, many rows: each word is kept once.
        if str(column.type) == "string" and name != "case_id":
            column = column.dictionary_encode()
            return [word for chunk in column.chunks for word in _words(chunk)]
        values: list[Any] = column.to_pylist()
        return values


_key_of = lru_cache(maxsize=1024)(Key)
"""Few keys, many rows: each is made once."""


@lru_cache(maxsize=1024)
def _promise_of(max_error: float | None, confidence_level: float | None) -> Promise | None:
    if max_error is None or confidence_level is None:
        return None
    return Promise(max_error=max_error, confidence_level=confidence_level)


def _check_columns(found: Any, names: Iterable[str]) -> None:
    types = dict(zip(found.names, found.types, strict=True))
    if odd := [name for name in names if types.get(name) != _schema().field(name).type]:
        raise Spoiled(f"it is no Parquet file of outcomes: its column {odd[0]} is missing, or of another type")


def _check_values(name: str, values: list[Any]) -> None:
    """What the models would have refused."""
    if None in values and name not in _MAY_BE_NULL:
        raise Spoiled(f"its column {name} has no value in some rows")
    if name in _WORDS and not _WORDS[name].issuperset(values):
        raise Spoiled(f"its column {name} holds words that nobody knows")
    if name in _SHARES and not all(0 <= one <= 1 for one in values if one is not None):
        raise Spoiled(f"its column {name} holds what is not in [0, 1]")
    if name in _PROMISE and not all(0 < one < 1 for one in values if one is not None):
        raise Spoiled(f"its column {name} holds what nobody can promise")
    if name == "cost_usd" and not all(0 <= one < inf for one in values if one is not None):
        raise Spoiled(f"its column {name} holds what is no cost")


def _words(chunk: Any) -> Iterator[str | None]:
    words = chunk.dictionary.to_pylist()
    return (None if place is None else words[place] for place in chunk.indices.to_pylist())


def _moment(microseconds: int) -> datetime:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def _row(stored: bytes, outcome: Outcome[JsonValue]) -> dict[str, Any]:
    evidence = evidence_of(outcome)
    verdicts = outcome.review.verdicts if outcome.review else ()
    return {
        **{name: getattr(evidence.key, name) for name in _KEY},
        **{column: getattr(evidence, name) for column, name in zip(_COLUMNS, _EVIDENCE, strict=True)},
        **{name: getattr(evidence.promise, name, None) for name in _PROMISE},
        "decision": outcome.decision,
        "decided_by": outcome.decided_by,
        "draft": _json(first_attempt(outcome).generation.answer),
        "final_answer": _json(outcome.final_answer),
        "attempts": len(outcome.drafts),
        "reviewers": [one.reviewer for one in verdicts],
        "flow_run_id": outcome.flow_run_id,
        "outcome": stored.decode(),
    }


def _json(answer: JsonValue) -> str:
    return to_json(answer).decode()


@lru_cache(maxsize=1)
def _schema() -> Any:
    """The columns; one that `Evidence` has and this does not is an error of the first test that writes."""
    pa, _ = _pyarrow()
    text, number = pa.string(), pa.float64()
    types = {
        **dict.fromkeys((*_KEY, "case_id", "action", "reason", "policy_version", "how"), text),
        **dict.fromkeys(("confidence", "propensity", "bar", "cost_usd", *_PROMISE), number),
        "was_right": pa.bool_(),
        "decided_at": pa.timestamp("us", tz="UTC"),
    }
    more = {
        **dict.fromkeys(("decision", "decided_by", "draft", "final_answer"), text),
        "attempts": pa.int32(),
        "reviewers": pa.list_(text),
        "flow_run_id": text,
        "outcome": text,
    }
    columns = {**{name: types[name] for name in (*_KEY, *_COLUMNS, *_PROMISE)}, **more}
    return pa.schema(list(columns.items()), metadata={_NOTED: _NOTE})


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise MissingExtra("Parquet needs pyarrow: pip install 'hitl_prefect[parquet]'") from exc
    return pa, pq
