"""The draft of a review that is kept in the store, since Prefect would show it: until its outcome stands there."""

import pytest
from pydantic import BaseModel

from hitl_prefect.detached import Detached
from hitl_prefect.detached.flow import review
from hitl_prefect.detached.parameters import discard, freeze, settled_before, thaw
from hitl_prefect.errors import ObjectMissing
from hitl_prefect.models import Attempt, Case
from hitl_prefect.outcomes import CaseRecord
from hitl_prefect.policy import Policy
from hitl_prefect.retention import Retention
from hitl_prefect.stores import FolderStore
from hitl_prefect.storing import put_outcome
from tests.unit.making import a_generation, a_route, a_score, an_outcome

DROP = Retention(prompt="drop")


class Total(BaseModel):
    total: float


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def audit(store, retention=DROP):
    """A review that is veiled, as every audit is."""
    case = Case(id="c1", task="invoices", prompt="Write to Grace Hopper.", answer=Total)
    attempt = Attempt(generation=a_generation(), score=a_score(), route=a_route(reason="audit", action="review"))
    policy = Policy(min_confidence=0.8, audit_rate=1, retention=retention)
    return Detached(case=case, attempt=attempt, policy=policy, model="none", store=store.url)


def settle(store, asked, **changes):
    """What the review ended in, stored outside of any flow run."""
    changes = {"generation": asked.attempt.generation, "flow_run_id": None, **changes}
    outcome = an_outcome(case=CaseRecord.of(asked.case), **changes)
    put_outcome(outcome, store=store)
    return outcome


@pytest.mark.parametrize(("prompt", "left"), [("keep", 1), ("redact", 0), ("drop", 0)])
async def test_the_draft_is_erased_where_the_policy_keeps_no_prompts(store, prompt, left):
    asked = audit(store, Retention(prompt=prompt))
    parameters = await freeze(asked)
    before = store.keys("drafts/")

    assert await discard(parameters, asked.policy.retention) is None
    assert (len(before), len(store.keys("drafts/"))) == (1, left)


async def test_a_draft_that_is_gone_already_is_as_good_as_erased(store):
    parameters = await freeze(audit(store))
    await discard(parameters, DROP)

    assert await discard(parameters, DROP) is None


async def test_what_a_store_does_not_erase_is_named(store):
    parameters = await freeze(audit(store))
    path = store.root / parameters.kept.key
    path.unlink()
    path.mkdir()
    said = await discard(parameters, DROP)

    assert said.startswith(f"{parameters.kept.key} in {store.url} holds the whole prompt and stays: delete it by hand")


async def test_a_run_that_runs_again_ends_in_what_it_stored(store):
    """It finds no draft, and needs none."""
    asked = audit(store)
    parameters = await freeze(asked)
    outcome = settle(store, asked)
    await discard(parameters, DROP)

    assert await review.fn(**parameters.model_dump(mode="json")) == outcome


@pytest.mark.parametrize("stands", [None, "7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11"])
async def test_a_draft_that_is_missing_is_an_error_where_the_run_stored_nothing(store, stands):
    """Nor does it take another run's outcome for its own."""
    asked = audit(store)
    parameters = await freeze(asked)
    if stands:
        settle(store, asked, flow_run_id=stands)
    await discard(parameters, DROP)

    assert await settled_before(parameters) is None
    with pytest.raises(ObjectMissing):
        await review.fn(**parameters.model_dump(mode="json"))


async def test_a_settled_review_that_is_opened_again_leaves_no_draft(store):
    """As a batch does that was killed before it noted that its reviews are open."""
    asked = audit(store)
    first = await freeze(asked)
    settle(store, asked)
    await discard(first, DROP)

    assert await freeze(asked) == first
    assert store.keys("drafts/") == []


async def test_a_review_of_another_draft_than_the_outcomes_is_kept_whole(store):
    """People may answer it; then the two outcomes are compared, and neither is lost."""
    asked = audit(store)
    settle(store, asked, generation=a_generation(answer={"total": 1.0}), final_answer={"total": 1.0})

    assert await thaw(await freeze(asked)) == asked
