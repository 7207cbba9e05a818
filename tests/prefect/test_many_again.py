"""A batch that is run again after something has changed: its policy, its source, what people have said meanwhile."""

import pytest

from hitl_prefect.errors import StoreDenied
from hitl_prefect.policy import Policy
from tests.prefect.batch_desk import cases, counts, desk_of

# Prefect opens a client for an async flow, asks it for the result storage, and never closes it.
pytestmark = [pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"), pytest.mark.usefixtures("collected")]


@pytest.fixture
def desk(resident, tmp_path, request):
    return desk_of(resident, tmp_path, request.node.name)


WITHOUT_ROOM = Policy(min_confidence=0.8, max_reviews_per_day=0, over_budget="reject")


def run_without_a_store(desk, policy):
    """A run of 101 cases that ends when it stores the first outcomes: a hundred are made together."""
    in_the_way = desk.folder / "outcomes" / "outcomes"
    in_the_way.parent.mkdir()
    in_the_way.touch()
    with pytest.raises(StoreDenied):
        desk.run(cases(101), policy=policy)
    in_the_way.unlink()


def test_what_a_former_policy_gave_no_form_is_decided_by_the_one_that_holds_now(desk):
    """Whose outcome was made by then keeps it; the store was away at the first of them, so that the last has none."""
    model = desk.model("yes 0.5")
    run_without_a_store(desk, policy=WITHOUT_ROOM)
    summary = desk.run(cases(101))

    assert counts(summary) == {"cases": 101, "over_budget": 100, "reviews": 1, "forms": 1}
    assert (sorted(desk.reviews()), model.calls) == (["c101"], 101)


def test_what_a_former_policy_would_have_rejected_is_held_where_the_policy_now_says_so(desk):
    desk.model("yes 0.5")
    run_without_a_store(desk, policy=WITHOUT_ROOM)
    summary = desk.run(cases(101), policy=WITHOUT_ROOM.model_copy(update={"over_budget": "hold"}))

    assert counts(summary) == {"cases": 101, "over_budget": 100, "held": 1}
