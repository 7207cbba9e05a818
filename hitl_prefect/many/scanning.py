"""One pass over the source before any model call: cases into the ledger, bad lines aside, no id twice.

The pass fills a ledger of its own. At its end, when the batch is known by its cases, that becomes the batch's, unless
an earlier run has begun one.
"""

import contextlib
import hashlib
import os
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from prefect.settings import PREFECT_HOME

from hitl_prefect.answers import answer_type
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError
from hitl_prefect.many.batch import Wanted
from hitl_prefect.many.ledger import TABLES, connect
from hitl_prefect.models import Case
from hitl_prefect.opening import check_reviewers
from hitl_prefect.scorer_checks import check_agreement
from hitl_prefect.sources import BadLine, SetAside, Source, read_cases

__all__ = ["Scanned", "scan"]

_SHOWN = 10
"""How many ids that occur twice are named."""

_OLD_S = 24 * 3600
"""How old what a scan left must be before it is taken away."""


@dataclass(frozen=True)
class Scanned:
    """What the pass found."""

    batch: str
    path: Path
    """The ledger."""
    bad_lines: int
    aside: Path
    """Where they are."""


def _folder() -> Path:
    """Where ledgers are, below Prefect's home."""
    home: Path = PREFECT_HOME.value()
    return home / "hitl" / "batches"


def scan(
    source: Source, wanted: Wanted, *, instructions: str = "", batch: str | None = None, aside: str | Path | None = None
) -> Scanned:
    """Read the whole source once.

    Args:
        source: See `read_cases`.
        wanted: What all cases have in common.
        instructions: The system prompt of all cases.
        batch: Names the batch; by default its cases, task, model, store and answer type do.
        aside: Where bad lines go; by default beside a local source, else beside the ledger.

    Raises:
        ConfigError: If the source cannot be read, an id occurs twice, nobody may review a case, or the batch's name
            stands for other cases.
    """
    scratch = _folder() / f".scan-{uuid4().hex}.sqlite"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    _sweep(scratch.parent)
    beside = _beside(source)
    bad = Path(aside or beside or scratch.with_suffix(".bad.jsonl"))
    try:
        with contextlib.closing(connect(scratch)) as rows, SetAside(bad) as bad_lines:
            found = _Pass(rows, wanted)
            for read in read_cases(source, task=wanted.task, answer=wanted.answer, instructions=instructions):
                found.take(read, bad_lines)
            name = found.end(batch)
        if not (aside or beside) and bad.exists():
            bad = bad.replace(_folder() / f"{name}.bad.jsonl")
        return Scanned(name, _placed(scratch, name, found.fingerprint), found.bad, bad)
    finally:
        scratch.unlink(missing_ok=True)


def _sweep(where: Path) -> None:
    """Take away what scans left that were killed; no scan takes a day."""
    for left in where.glob(".scan-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _OLD_S:
                left.unlink()


def _beside(source: Source) -> Path | None:
    if not isinstance(source, str | Path) or str(source).startswith("s3:"):
        return None
    path = Path(source).expanduser()
    return path.with_name(f"{path.name}.bad.jsonl")


def _placed(scratch: Path, name: str, fingerprint: str) -> Path:
    """The batch's ledger: this one, or the one that stands.

    Raises:
        ConfigError: If that is about other cases.
    """
    path = _folder() / f"{name}.sqlite"
    with contextlib.suppress(FileExistsError):
        os.link(scratch, path)
        return path
    try:
        with contextlib.closing(connect(path)) as rows:
            (stands,) = rows.execute("SELECT value FROM meta WHERE name = 'fingerprint'").fetchone()
    except sqlite3.OperationalError:
        return path  # another run holds it, as whoever opens it is told
    if stands != fingerprint:
        raise ConfigError(
            f"batch {name!r} was begun with other cases, another model, store or answer type: give this one another "
            f"name, or none; {path} is what stands of the other"
        )
    return path


@dataclass
class _Pass:
    """The good lines so far, and what is wrong with them together."""

    rows: sqlite3.Connection
    wanted: Wanted
    bad: int = 0
    fingerprint: str = ""
    _place: int = 0
    _twice: list[str] = field(default_factory=list)
    _more: int = 0
    _requesters: set[str | None] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rows.execute("PRAGMA journal_mode=OFF")
        self.rows.execute("PRAGMA synchronous=OFF")
        self.rows.executescript(TABLES)
        self.rows.execute("BEGIN")
        common = [self.wanted.task, self.wanted.model, self.wanted.store, answer_type(self.wanted.answer).json_schema]
        self._told = hashlib.sha256(canonical_bytes(common))

    def take(self, read: tuple[int, Case] | BadLine, aside: SetAside) -> None:
        """Take what the source gave next."""
        if isinstance(read, BadLine):
            self.bad += 1
            aside.add(read)
            return
        number, case = read
        self._check(case)
        self._place += 1
        insert = "INSERT OR IGNORE INTO cases (place, number, id) VALUES (?, ?, ?)"
        if not self.rows.execute(insert, (self._place, number, case.id)).rowcount:
            self._note_twice(number, case.id)
            return
        self.rows.execute("INSERT INTO bodies VALUES (?, ?)", (self._place, case.model_dump_json()))
        self._told.update(f"{case.id} {case.prompt_sha256}\n".encode())

    def end(self, name: str | None) -> str:
        """Close the pass; returns the batch's name.

        Raises:
            ConfigError: If ids occur twice.
        """
        if self._twice:
            more = f", and {self._more} more" if self._more else ""
            raise ConfigError(
                f"ids occur twice, and one case has one outcome: {', '.join(self._twice)}{more}; give each its own. No "
                "model was asked"
            )
        self.fingerprint = self._told.hexdigest()
        self.rows.execute("INSERT INTO meta VALUES ('fingerprint', ?)", (self.fingerprint,))
        self.rows.execute("COMMIT")
        return name or self.fingerprint[:16]

    def _check(self, case: Case) -> None:
        if case.requester not in self._requesters:
            check_reviewers(case, self.wanted.policy)
            self._requesters.add(case.requester)
        if self.wanted.policy.scorers:
            check_agreement(self.wanted.policy, case)

    def _note_twice(self, number: int, case_id: str) -> None:
        if len(self._twice) == _SHOWN:
            self._more += 1
            return
        (first,) = self.rows.execute("SELECT number FROM cases WHERE id = ?", (case_id,)).fetchone()
        self._twice.append(f"{case_id!r} in lines {first} and {number}")
