"""A batch that is run again after something has changed: its policy, its source, what people have said meanwhile."""

import pytest

from flows.resolve_case import resolve_one_case
from hitl_prefect.errors import StoreDenied
from hitl_prefect.policy import Grouping, Policy
from tests.prefect.batch_desk import BAR, cases, counts, desk_of

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


def test_a_line_more_asks_nobody_again_about_what_waits(desk):
    """Neither the model, which is paid, nor people, whose second answer would be refused."""
    model = desk.model("yes 0.9", "no 0.5")
    desk.run(cases(3))
    before = desk.reviews()
    foretold = desk.run(cases(4), dry_run=True)
    summary = desk.run(cases(4))

    assert counts(foretold) == {"cases": 4, "decided_before": 1, "waiting_before": 2}
    assert counts(summary) == {"cases": 4, "reviews": 1, "forms": 1, "decided_before": 1, "waiting_before": 2}
    assert ({case: run["id"] for case, run in desk.reviews().items() if case in before}, model.calls) == (
        {case: run["id"] for case, run in before.items()},
        4,
    )
    assert "asked about by an earlier batch or run, and not decided yet | 2" in desk.artifact(
        f"hitl-batch-{summary.batch}"
    )


def test_a_further_run_looks_again_at_what_waited_elsewhere(desk, resident):
    """What is decided by then counts as such; what was cancelled is asked about."""
    model = desk.model("no 0.5")
    desk.run(cases(2))
    runs = desk.reviews()
    desk.run(cases(3))
    desk.settle(runs["c1"])
    resident.force(runs["c2"]["id"], "Cancelled", "CANCELLED")
    summary = desk.run(cases(3))

    assert counts(summary) == {"cases": 3, "reviews": 2, "forms": 2, "decided_before": 1}
    assert model.calls == 4


def test_who_shares_a_form_or_has_a_flow_of_its_own_waits_as_well(desk, resident):
    model = desk.model("yes 0.5")
    desk.run(cases(3), policy=BAR.model_copy(update={"grouping": Grouping(one_by_one=1)}))
    alone = {"task": desk.task, "model": f"scripted:{desk.task}", "store": desk.store.url}
    resident.start(resolve_one_case, prompt="Is it 4?", case_id="c4", policy=BAR.model_dump(mode="json"), **alone)
    summary = desk.run(cases(5))

    assert counts(summary) == {"cases": 5, "reviews": 1, "forms": 1, "waiting_before": 4}
    assert model.calls == 5


def test_what_is_asked_about_for_another_store_is_asked_about_for_this_one(desk):
    """An outcome there is none here."""
    desk.model("yes 0.5")
    desk.run(cases(1))
    summary = desk.run(cases(1), store=f"folder:{desk.folder / 'others'}")

    assert counts(summary) == {"cases": 1, "reviews": 1, "forms": 1}
