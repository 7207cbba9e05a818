"""What a batch makes of cases that were decided before it, or elsewhere meanwhile."""

import asyncio
from contextlib import contextmanager
from datetime import timedelta

import pytest
from prefect.logging import disable_run_logger

from hitl_prefect.errors import ReviewError
from hitl_prefect.forgetting import Wish, forget
from hitl_prefect.many.batch import Batch, Wanted
from hitl_prefect.many.ending import end, summary_of
from hitl_prefect.many.known import pass_over_decided
from hitl_prefect.many.lanes import Lanes
from hitl_prefect.many.ledger import Ledger
from hitl_prefect.many.purse import Purse
from hitl_prefect.many.reviews import conclude_rest
from hitl_prefect.many.storing import store_kept
from hitl_prefect.many.writers import Writers
from hitl_prefect.outcomes import CaseRecord, index_key, outcome_key
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.storing import put_outcome
from tests.unit.making import NOON, an_outcome
from tests.unit.test_ledger import attempt, made

DECIDED = {
    "accept": {},
    "fallback": {"decision": "fallback", "final_answer": "unsure", "decided_by": "deadline"},
    "reject": {"decision": "reject", "final_answer": None, "decided_by": "human"},
}


@contextmanager
def batch_of(tmp_path, cases, policy=REVIEW_ALL, *, ledger=Ledger):
    store = FolderStore(tmp_path / "outcomes")
    wanted = Wanted("demo", "none", store.url, str, policy, 1, 1, "pool")
    with disable_run_logger(), ledger(made(tmp_path / "b.sqlite", cases)) as rows, Writers(store) as writers:
        yield Batch("b", "", wanted, ledger=rows, writers=writers, lanes=Lanes(1), purse=Purse(None))


def decided(kept, decision):
    return an_outcome(case=CaseRecord.of(kept.case), **DECIDED[decision])


def forgotten(store, case_id):
    forget(store, Wish(task="demo", case=case_id, by="dpo", reason="ticket 7", at=NOON + timedelta(days=1)))


async def test_what_was_rejected_or_forgotten_before_is_counted(tmp_path):
    """Else a pipeline that is run again with one line more would ship what a person has rejected."""
    with batch_of(tmp_path, 5) as batch:
        for place, decision in enumerate(("accept", "reject", "fallback", "accept"), start=1):
            put_outcome(decided(batch.ledger.read(place), decision), store=batch.target)
        forgotten(batch.target, "c4")
        await pass_over_decided(batch)
        summary = summary_of(batch, bad_lines=0, seconds=0)

    assert (summary.cases, summary.decided_before, summary.rejected_before, summary.forgotten) == (5, 4, 2, 1)
    assert "| of them: forgotten | 1 |" in summary.markdown()


async def test_a_run_of_which_some_case_has_come_to_nothing_fails(tmp_path):
    """Numbers that do not add up are not left to whoever reads them."""
    with batch_of(tmp_path, 3) as batch:
        batch.ledger.settle([1], "accepted")
        with pytest.raises(ReviewError, match="nothing has come of 2 of 3 cases"):
            await end(None, batch, summary_of(batch, bad_lines=0, seconds=0))


@pytest.mark.parametrize(
    ("theirs", "state"), [("accept", "decided_before"), ("reject", "rejected_before"), ("fallback", "rejected_before")]
)
async def test_what_was_decided_elsewhere_meanwhile_counts_as_it_stands(tmp_path, theirs, state):
    """Ours is kept in quarantine, and does not ship."""
    with batch_of(tmp_path, 1) as batch:
        kept = batch.ledger.read(1)
        put_outcome(decided(kept, theirs), store=batch.target)
        ours = kept._replace(outcome=decided(kept, "accept").model_copy(update={"final_answer": {"total": 7}}))

        assert await store_kept(batch, ours, "accepted") == state


def lose(store, outcome):
    """Leave the index entry alone, as whoever dies between it and its outcome does."""
    put_outcome(outcome, store=store)
    store.erase(outcome_key(outcome))


def failures(batch):
    return [(case_id, problem.partition(":")[0]) for _, case_id, problem in batch.ledger.problems(10)]


async def test_a_case_whose_outcome_is_lost_fails_before_the_model_is_asked(tmp_path):
    """By itself, and with the entry that names it and the next step; it was neither decided nor forgotten."""
    with batch_of(tmp_path, 2) as batch:
        gone, stands = (decided(batch.ledger.read(place), "accept") for place in (1, 2))
        lose(batch.target, gone)
        put_outcome(stands, store=batch.target)
        await pass_over_decided(batch)

        ((_, _, problem),) = batch.ledger.problems(10)
        assert batch.ledger.counts() == {"failed": 1, "decided_before": 1}
        assert f"'{index_key('demo', 'c1')}'" in problem
        assert f"'{outcome_key(gone)}'" in problem
        assert "run this again" in problem


async def test_an_outcome_that_is_lost_is_written_by_whoever_has_the_same_bytes(tmp_path):
    with batch_of(tmp_path, 1) as batch:
        kept = batch.ledger.read(1)
        ours = decided(kept, "accept")
        lose(batch.target, ours)

        assert await store_kept(batch, kept._replace(outcome=ours), "accepted") == "accepted"
        assert batch.target.get(outcome_key(ours)) == ours.stored


async def test_other_bytes_than_a_lost_outcome_fail_their_case_alone(tmp_path):
    """Of a chunk, and of what no review was left for."""
    policy = Policy(max_reviews_per_day=0, over_budget="reject")
    with batch_of(tmp_path, 2, policy) as batch:
        for place in (1, 2):
            kept = batch.ledger.read(place)
            batch.ledger.keep_attempt(place, attempt(kept.case), alike=None, loss=None)
        lose(batch.target, decided(batch.ledger.read(1), "accept"))
        batch.ledger.execute("UPDATE cases SET form = 0")
        await conclude_rest(batch)

        assert batch.ledger.counts() == {"failed": 1, "over_budget": 1}
        assert failures(batch) == [("c1", "ObjectMissing")]


async def test_a_lost_outcome_of_a_case_that_was_forgotten_is_forgotten(tmp_path):
    with batch_of(tmp_path, 1) as batch:
        outcome = decided(batch.ledger.read(1), "accept")
        put_outcome(outcome, store=batch.target)
        forgotten(batch.target, "c1")
        batch.target.erase(outcome_key(outcome))
        await pass_over_decided(batch)

        assert batch.ledger.counts() == {"forgotten": 1}


async def test_an_outcome_that_somebody_is_writing_is_waited_for(tmp_path):
    """Its index entry is there a moment before it."""
    with batch_of(tmp_path, 1) as batch:
        outcome = decided(batch.ledger.read(1), "accept")
        lose(batch.target, outcome)
        asyncio.get_running_loop().call_later(0.2, lambda: put_outcome(outcome, store=batch.target))
        await pass_over_decided(batch)

        assert batch.ledger.counts() == {"decided_before": 1}
