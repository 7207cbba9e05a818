"""What became of each case of a batch: one SQLite file per batch, so that a run that was killed goes on where it was.

What is written stands when the call returns, also where the process is killed right after it. One process at a time
holds the file; SQLite's own lock, which ends with the process, sees to that.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_args

from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Attempt, Case, Generation
from hitl_prefect.outcomes import Outcome

__all__ = ["BEFORE", "Kept", "Ledger", "State", "connect"]

State = Literal[
    "waiting",
    "drafted",
    "accepted",
    "opened",
    "over_budget",
    "held",
    "failed",
    "decided_before",
    "rejected_before",
    "forgotten",
    "waiting_before",
]
"""`waiting`: not drafted yet. `drafted`: the draft is kept, and nothing has come of it yet. `waiting_before`: people
are asked about it elsewhere."""
BEFORE: tuple[State, ...] = ("decided_before", "rejected_before", "forgotten")
"""What had an outcome already: one that ships, one that does not, and one that was forgotten."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE cases (
    place INTEGER PRIMARY KEY, number INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL DEFAULT 'waiting',
    is_review INTEGER NOT NULL DEFAULT 0, alike TEXT, loss REAL, form INTEGER, cost REAL, problem TEXT
);
CREATE TABLE bodies (place INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE kept (
    place INTEGER PRIMARY KEY, what TEXT NOT NULL, body TEXT NOT NULL,
    is_review INTEGER, alike TEXT, loss REAL, cost REAL
);
-- All that is said of a case when its draft is there: one statement, and so one commit and one turn of Python's lock.
CREATE TRIGGER keeping AFTER INSERT ON kept BEGIN
    UPDATE cases SET state = 'drafted', is_review = NEW.is_review, alike = NEW.alike, loss = NEW.loss, cost = NEW.cost
    WHERE place = NEW.place;
END;
"""

_INDEXES = tuple(
    f"CREATE INDEX IF NOT EXISTS by_{name} ON cases ({name}) WHERE {name} IS NOT NULL" for name in ("form", "alike")
)
"""Each form looks up its cases; without these that took a pass over all cases for each of them."""
_IS_UNDECIDED = "place NOT IN (SELECT place FROM kept WHERE what = 'outcome')"
"""No outcome is kept that is yet to be stored."""
_AT_ONCE = 16
"""Cases that are read in one go; a case may hold images, and three chunks are under way."""
# Who has a form may have been asked by a run that was killed before it could say so.
_IS_UNASKED = f"state IN ('waiting', 'drafted') AND form IS NULL AND {_IS_UNDECIDED}"


class Kept(NamedTuple):
    """A case, and what was made of it."""

    place: int
    """Its position among the good lines, from 1."""
    number: int
    """Its line in the source."""
    case: Case
    draft: Generation | None
    """What the model returned; `None` where it was not asked, or `attempt` holds it."""
    attempt: Attempt | None
    """The draft with its score and route."""
    outcome: Outcome | None
    """What is to be stored; it stays so when another run stores it."""
    stored: bytes | None = None
    """The same to the letter."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that any thread may use, one after the other; nothing is committed but by `BEGIN` and `COMMIT`."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)


class Ledger:
    """The ledger of one batch.

    Args:
        path: The file, made by `scanning`.
        answer: The type of the answers, which is not stored.

    Raises:
        ConfigError: If another process holds it.
    """

    def __init__(self, path: Path, answer: Any = str) -> None:
        self.path, self._answer = path, answer
        self._rows = connect(path)
        try:
            self._rows.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._rows.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing so; after a power cut the last drafts may have to be made again.
            self._rows.execute("PRAGMA synchronous=OFF")
            self._rows.execute("BEGIN IMMEDIATE")
            for index in _INDEXES:
                self._rows.execute(index)
            self._rows.execute("COMMIT")
        except sqlite3.OperationalError as exc:
            self._rows.close()
            raise ConfigError(
                f"another run resolves this batch (its ledger {path} is held: {exc}): wait for its end, or cancel it"
            ) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._rows.close()

    def read_fact(self, name: str) -> str | None:
        """A fact about the whole batch."""
        found = self._rows.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def write_fact(self, name: str, value: str) -> None:
        """Write a fact, whatever stood there."""
        self._rows.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def begin(self) -> None:
        """What failed, was held or waited elsewhere is taken up again, and so is what got no form and no outcome."""
        with self.together():
            self._rows.execute(
                "UPDATE cases SET state = 'waiting', problem = NULL WHERE state IN ('failed', 'waiting_before')"
            )
            # What has its draft need not be asked for it, only scored or reviewed.
            self._rows.execute(
                "UPDATE cases SET state = 'drafted' WHERE state = 'held' OR "
                "(state = 'waiting' AND place IN (SELECT place FROM kept))"
            )
            # The policy may be another one by now, and gives such a case a form or not.
            self._rows.execute(
                f"UPDATE cases SET form = NULL WHERE state = 'drafted' AND form = 0 AND {_IS_UNDECIDED}"  # noqa: S608 - a text of ours
            )

    def chunks(self, size: int) -> Iterator[tuple[int, int]]:
        """The first and last place of each `size` cases that nothing has come of yet, in order."""
        last: int | None = 0
        while last is not None:
            first, last = self._rows.execute(
                "SELECT min(place), max(place) FROM (SELECT place FROM cases WHERE place > ? AND state IN "
                "('waiting', 'drafted') AND form IS NULL ORDER BY place LIMIT ?)",
                (last, size),
            ).fetchone()
            if last is not None:
                yield first, last

    def open_cases(self, first: int, last: int) -> Iterator[Kept]:
        """The cases within a chunk that are still to be drafted, scored or stored; a few are read at once."""
        found = self._rows.execute(
            "SELECT place FROM cases WHERE place BETWEEN ? AND ? AND state IN ('waiting', 'drafted') "
            "AND is_review = 0 ORDER BY place",
            (first, last),
        )
        places = [place for (place,) in found]
        for start in range(0, len(places), _AT_ONCE):
            yield from self._read(places[start : start + _AT_ONCE])

    def read(self, place: int) -> Kept:
        """A case, and what was made of it."""
        return self._read([place])[0]

    def _read(self, places: Sequence[int]) -> list[Kept]:
        marks = ",".join("?" * len(places))
        found = self._rows.execute(
            "SELECT place, number, bodies.body, what, kept.body FROM cases JOIN bodies USING (place) "  # noqa: S608 - question marks
            f"LEFT JOIN kept USING (place) WHERE place IN ({marks}) ORDER BY place",
            places,
        )
        return [self._kept(*row) for row in found.fetchall()]

    def _kept(self, place: int, number: int, body: str, what: str | None, kept: str | None) -> Kept:
        return Kept(
            place,
            number,
            Case.model_validate_json(body).model_copy(update={"answer": self._answer}),
            Generation.model_validate_json(kept) if kept and what == "draft" else None,
            Attempt.model_validate_json(kept) if kept and what == "attempt" else None,
            Outcome.model_validate_json(kept) if kept and what == "outcome" else None,
        )

    def keep_draft(self, place: int, draft: Generation) -> None:
        """Keep what the model returned, where its score takes a while."""
        self._keep(place, "draft", draft.model_dump_json(), False, None, None, draft.cost_usd)

    def keep_attempt(self, place: int, attempt: Attempt, *, alike: str | None, loss: float | None) -> None:
        """Keep a draft with its score and its route to a person.

        Args:
            place: The case.
            attempt: The draft with them.
            alike: What those have in common that one form may answer; `None` where it has a form of its own.
            loss: What a wrong answer is expected to cost; `None` where nobody knows.
        """
        self._keep(place, "attempt", attempt.model_dump_json(), True, alike, loss, _cost(attempt))

    def keep_outcome(self, place: int, outcome: Outcome[Any]) -> bytes:
        """Keep what is about to be stored, and return it to the letter; the draft is a part of it."""
        is_review, stored = outcome.route.action == "review", outcome.stored
        self._keep(place, "outcome", stored.decode(), is_review, None, None, _cost(outcome))
        return stored

    def _keep(self, *row: Any) -> None:
        self._rows.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def settle(self, places: Sequence[int], state: State, problem: str | None = None) -> None:
        """Say what came of cases; what an accepted one was made of stands in the store from now on."""
        assert state in get_args(State)  # noqa: S101 - SQLite would take any text
        with self.together():
            self._rows.executemany(
                "UPDATE cases SET state = ?, problem = ? WHERE place = ?", [(state, problem, one) for one in places]
            )
            if state in ("accepted", "over_budget"):
                self._rows.executemany("DELETE FROM kept WHERE place = ?", [(one,) for one in places])

    def undecided(self, ids: Sequence[str]) -> list[tuple[int, str]]:
        """Place and id of those of these cases that nothing has come of, as far as this batch knows."""
        marks = ",".join("?" * len(ids))
        return self._rows.execute(
            f"SELECT place, id FROM cases WHERE id IN ({marks}) AND state IN "  # noqa: S608 - question marks
            f"('waiting', 'drafted', 'held', 'failed', 'waiting_before') AND {_IS_UNDECIDED}",
            ids,
        ).fetchall()

    def unasked(self, ids: Sequence[str]) -> list[int]:
        """The places of those of these cases that nobody decides or is asked about, as far as this batch knows."""
        marks = ",".join("?" * len(ids))
        found = self._rows.execute(f"SELECT place FROM cases WHERE id IN ({marks}) AND {_IS_UNASKED}", ids)  # noqa: S608 - question marks
        return [place for (place,) in found]

    def has_unasked(self) -> bool:
        """Whether there are any."""
        return bool(self.execute(f"SELECT 1 FROM cases WHERE {_IS_UNASKED} LIMIT 1"))  # noqa: S608 - a text of ours

    def counts(self) -> dict[str, int]:
        """How many cases are in each state."""
        return dict(self._rows.execute("SELECT state, count(*) FROM cases GROUP BY state"))

    def counts_before(self) -> dict[str, int]:
        """How many cases had an outcome already, how many of them do not ship, and how many wait for one elsewhere.

        As a `BatchSummary` names them.
        """
        counts = self.counts()
        before: dict[str, int] = {state: counts.get(state, 0) for state in BEFORE}
        waiting = counts.get("waiting_before", 0)
        return {**before, "decided_before": sum(before.values()), "waiting_before": waiting}

    def cost_usd(self) -> float | None:
        """What is known of what was paid; `None` where nothing is."""
        (found,) = self._rows.execute("SELECT sum(cost) FROM cases").fetchone()
        return None if found is None else float(found)

    def forms(self) -> int:
        """How many forms were opened."""
        (found,) = self._rows.execute("SELECT count(DISTINCT form) FROM cases WHERE state = 'opened'").fetchone()
        return int(found)

    def problems(self, at_most: int) -> list[tuple[int, str, str]]:
        """Line, id and reason of the first cases that failed."""
        return self._rows.execute(
            "SELECT number, id, problem FROM cases WHERE state = 'failed' ORDER BY place LIMIT ?", (at_most,)
        ).fetchall()

    def prompt_bytes(self) -> tuple[int, int]:
        """How many cases the model is still to be asked about, and how many bytes they are together."""
        count, total = self._rows.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM cases JOIN bodies USING (place) "
            "WHERE state = 'waiting'"
        ).fetchone()
        return int(count), int(total)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement, for whoever chooses what is reviewed; its rows, where it gives any."""
        return self._rows.execute(statement, values).fetchall()

    def change(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """One statement for many rows: all of them, or none."""
        with self.together():
            self._rows.executemany(statement, rows)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is written within the block, or nothing of it."""
        if self._rows.in_transaction:
            yield
            return
        self._rows.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._rows.execute("ROLLBACK")
            raise
        self._rows.execute("COMMIT")


def _cost(made: Attempt | Outcome[Any]) -> float | None:
    """What is known of what a draft and its score have cost; a score that asked nobody tells nothing of its draft."""
    draft, score = made.generation.cost_usd, made.score.cost_usd
    return None if draft is None and not score else (draft or 0) + (score or 0)
