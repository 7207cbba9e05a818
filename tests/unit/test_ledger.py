"""What a batch's ledger keeps, and what it says after a crash."""

import contextlib
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_prefect.errors import ConfigError
from hitl_prefect.many.ledger import TABLES, Ledger, connect
from hitl_prefect.models import Attempt, Case
from tests.unit.making import a_generation, a_route, a_score, an_outcome


def made(path, count):
    """A ledger of that many cases, as the scan leaves it."""
    with contextlib.closing(connect(path)) as rows:
        rows.executescript(TABLES)
        for place in range(1, count + 1):
            case = Case(id=f"c{place}", task="demo", prompt=f"Is it {place}?")
            rows.execute("INSERT INTO cases (place, number, id) VALUES (?, ?, ?)", (place, place + 1, case.id))
            rows.execute("INSERT INTO bodies VALUES (?, ?)", (place, case.model_dump_json()))
    return path


def attempt(case, *, cost_usd=0.5):
    draft = a_generation(answer="yes", text="yes", prompt_sha256=case.prompt_sha256, cost_usd=cost_usd)
    return Attempt(generation=draft, score=a_score(0.5), route=a_route(action="review", reason="below_bar"))


def test_what_was_kept_is_there_after_the_process_is_gone(tmp_path):
    """A second opening sees the draft, its cost, and that nothing has come of it."""
    path = made(tmp_path / "b.sqlite", 2)
    with Ledger(path) as ledger:
        kept = ledger.read(1)
        ledger.keep_attempt(1, attempt(kept.case), alike="k", loss=None)

    with Ledger(path) as again:
        assert again.read(1) == kept._replace(attempt=attempt(kept.case))
        assert (again.counts(), again.cost_usd()) == ({"drafted": 1, "waiting": 1}, 0.5)


def test_a_cost_that_nobody_knows_is_not_told_as_nothing(tmp_path):
    """A score that asked nobody has cost nothing, and says nothing of its draft."""
    with Ledger(made(tmp_path / "b.sqlite", 2)) as ledger:
        ledger.keep_attempt(1, attempt(ledger.read(1).case, cost_usd=None), alike=None, loss=None)
        unknown = ledger.cost_usd()
        ledger.keep_attempt(2, attempt(ledger.read(2).case, cost_usd=0.5), alike=None, loss=None)

        assert (unknown, ledger.cost_usd()) == (None, 0.5)


def test_a_second_run_is_refused_while_the_first_holds_the_ledger(tmp_path):
    path = made(tmp_path / "b.sqlite", 1)

    with Ledger(path), pytest.raises(ConfigError, match="another run resolves this batch"):
        Ledger(path)
    with Ledger(path) as after:
        assert after.counts() == {"waiting": 1}


def test_what_failed_or_was_held_is_taken_up_again(tmp_path):
    """A case without a draft is asked about; one that has its draft is not."""
    with Ledger(made(tmp_path / "b.sqlite", 3)) as ledger:
        ledger.keep_draft(2, attempt(ledger.read(2).case).generation)
        ledger.settle([1, 2], "failed", "ProviderDenied: no")
        ledger.settle([3], "held")
        told = ledger.problems(10)
        ledger.begin()

        assert told == [(2, "c1", "ProviderDenied: no"), (3, "c2", "ProviderDenied: no")]
        assert ledger.counts() == {"waiting": 1, "drafted": 2}


def test_who_got_no_form_is_chosen_among_again_until_there_is_an_outcome(tmp_path):
    """A policy of another day may have room for it; an outcome that was kept is stored as it is."""
    with Ledger(made(tmp_path / "b.sqlite", 3)) as ledger:
        for place in (1, 2, 3):
            ledger.keep_attempt(place, attempt(ledger.read(place).case), alike=None, loss=None)
        ledger.change("UPDATE cases SET form = ? WHERE place = ?", [(0, 1), (0, 2), (3, 3)])
        ledger.keep_outcome(2, an_outcome(route=a_route(action="review", reason="below_bar", propensity=0.0)))
        ledger.begin()

        assert ledger.execute("SELECT form FROM cases ORDER BY place") == [(None,), (0,), (3,)]


def test_an_error_leaves_nothing_half_written(tmp_path):
    with Ledger(made(tmp_path / "b.sqlite", 2)) as ledger:
        with pytest.raises(sqlite3.IntegrityError):
            ledger.change("UPDATE cases SET id = ? WHERE place = ?", [("other", 1), ("other", 2)])

        assert [ledger.read(place).case.id for place in (1, 2)] == ["c1", "c2"]
        assert ledger.undecided(["c1", "other"]) == [(1, "c1")]


@settings(max_examples=25)
@given(done=st.sets(st.integers(1, 40)), size=st.integers(1, 40))
def test_chunks_hold_every_open_case_once_and_in_order(tmp_path_factory, done, size):
    """Whatever was settled before, and however the cases are cut."""
    with Ledger(made(tmp_path_factory.mktemp("ledger") / "b.sqlite", 40)) as ledger:
        ledger.settle(sorted(done), "accepted")
        chunks = [list(ledger.open_cases(first, last)) for first, last in ledger.chunks(size)]

        assert [kept.place for chunk in chunks for kept in chunk] == sorted(set(range(1, 41)) - done)
        assert all(len(chunk) == size for chunk in chunks[:-1])
