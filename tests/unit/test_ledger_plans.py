"""How SQLite finds what is chosen and opened: by an index, however many cases the ledger has."""

import re

from hitl_prefect.many.choosing import choose_within
from hitl_prefect.many.ledger import Ledger
from hitl_prefect.many.reviews import conclude_rest, open_chosen, places_of
from hitl_prefect.policy import Grouping, Policy
from tests.unit.test_known import batch_of
from tests.unit.test_ledger import attempt, made

_LOOKS_UP = r"WHERE.* (form|alike) (=|>|IN|IS NOT)"
"""That which all of them get a form of their own by is one pass, and once."""


class Explained(Ledger):
    """A ledger that keeps how SQLite goes about each statement that it is given."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.plans = []

    def execute(self, statement, *values):
        plan = super().execute(f"EXPLAIN QUERY PLAN {statement}", *values)
        self.plans.append((statement, "; ".join(step for *_, step in plan)))
        return super().execute(statement, *values)


def drafted(ledger, cases, *, alike=None):
    """A ledger in which so many cases need a person."""
    for place in range(1, cases + 1):
        ledger.keep_attempt(place, attempt(ledger.read(place).case), alike=alike, loss=None)
    return ledger


async def test_forms_are_chosen_opened_and_concluded_by_an_index(tmp_path):
    policy = Policy(grouping=Grouping(one_by_one=1, at_most=2), max_reviews_per_day=1, over_budget="reject")
    with batch_of(tmp_path, 3, policy, ledger=Explained) as batch:
        ledger = drafted(batch.ledger, 3, alike="k")
        choose_within(batch, 1)
        places_of(batch, 1)
        ledger.settle([1], "opened")
        await open_chosen(batch)
        await conclude_rest(batch)
        counts = ledger.counts()

    wanted = [(said, plan) for said, plan in ledger.plans if re.search(_LOOKS_UP, said)]
    assert counts == {"opened": 1, "over_budget": 2}
    assert len(wanted) >= 6
    assert [one for one in wanted if "INDEX by_" not in one[1]] == []


def test_a_ledger_of_before_gains_the_indexes(tmp_path):
    """Also where it was begun without them: a run goes on with it."""
    path = made(tmp_path / "b.sqlite", 1)

    with Ledger(path) as ledger:
        found = ledger.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'by_%' ORDER BY name")
    with Ledger(path) as again:
        assert again.counts() == {"waiting": 1}
    assert found == [("by_alike",), ("by_form",)]


async def test_all_that_got_no_form_are_concluded(tmp_path):
    """However many more they are than one look takes."""
    policy = Policy(max_reviews_per_day=0, over_budget="reject")
    with batch_of(tmp_path, 250, policy) as batch:
        drafted(batch.ledger, 250).execute("UPDATE cases SET form = 0")
        await conclude_rest(batch)

        assert batch.ledger.counts() == {"over_budget": 250}
