"""What a batch makes of cases that were decided before it, or elsewhere meanwhile."""

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
from hitl_prefect.many.storing import store_kept
from hitl_prefect.many.writers import Writers
from hitl_prefect.outcomes import CaseRecord
from hitl_prefect.policy import REVIEW_ALL
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.storing import put_outcome
from tests.unit.making import NOON, an_outcome
from tests.unit.test_ledger import made

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
