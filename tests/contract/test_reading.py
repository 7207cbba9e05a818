"""Every store: its outcomes are read one after the other, whatever else stands among them."""

from itertools import islice

import pytest

from hitl_prefect.compacting import compact
from hitl_prefect.errors import StoreUnavailable
from hitl_prefect.gathering import gather
from hitl_prefect.outcomes import CaseRecord, outcome_key
from hitl_prefect.reading import Unreadable, read_outcomes
from tests.unit.making import a_case, an_outcome

BROKEN = "outcomes/v1/task=invoices/dt=2026-01-02/c1000x.json"


def fill(store, outcomes=40):
    """So many outcomes, one object that is none, and what stands elsewhere."""
    made = [an_outcome(case=CaseRecord.of(a_case(id=f"c{number}"))) for number in range(1000, 1000 + outcomes)]
    for one in made:
        store.put_once(outcome_key(one), one.stored)
    store.put_once(BROKEN, b"{}")
    store.put_once("cases/v1/task=invoices/c10.json", b"{}")
    return made


def test_outcomes_come_in_order_and_a_broken_object_stops_nothing(target):
    """What is no outcome is named with the reason."""
    made = fill(target.store())
    first, broken, *others = read_outcomes(target.store())

    assert [first, *others] == made
    assert isinstance(broken, Unreadable)
    assert (broken.key, broken.problem.split("; ")[0]) == (BROKEN, "case: Field required")


def test_what_was_compacted_reads_the_same(target):
    """One object in place of forty, and the broken one is named all the same."""
    fill(target.store())
    before = list(read_outcomes(target.store())), gather(target.store())
    (done,) = compact(target.store()).days

    assert (done.outcomes, target.store().keys("parquet/")) == (40, [done.key])
    assert compact(target.store()).days == ()
    assert (list(read_outcomes(target.store())), gather(target.store())) == before


def test_a_store_that_goes_down_is_no_broken_object(faulty):
    """Else a report would quietly be one of half the outcomes."""
    fill(faulty.behind, outcomes=130)
    reading = read_outcomes(faulty.store)
    before = list(islice(reading, 128))
    faulty.proxy.down()

    with pytest.raises(StoreUnavailable, match="try again"):
        next(reading)
    assert len(before) == 128
