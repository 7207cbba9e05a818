"""Many cases in one flow run: what is stored, what waits for people, and what a further run does."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from prefect import flow
from prefect.settings import PREFECT_HOME, temporary_settings

from hitl_prefect import aresolve_cases
from hitl_prefect.errors import BudgetSpent, ConfigError, ProviderDenied, ProviderError
from hitl_prefect.forgetting import Wish, forget
from hitl_prefect.policy import Grouping, Policy
from hitl_prefect.providers.scripted import Step, register
from hitl_prefect.scorers import Agreement
from hitl_prefect.stores.folder import FolderStore
from tests.prefect.batch_desk import BAR, cases, counts, desk_of

# Prefect opens a client for an async flow, asks it for the result storage, and never closes it.
pytestmark = [pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"), pytest.mark.usefixtures("collected")]


@pytest.fixture
def desk(resident, tmp_path, request):
    return desk_of(resident, tmp_path, request.node.name)


def test_sure_answers_are_stored_and_the_others_wait_in_runs_of_their_own(desk):
    """A bad line is set aside with its number, and the rest goes on; the run ends without waiting."""
    desk.model("yes 0.9", "no 0.5", "yes 0.95")
    summary = desk.run([*cases(2), "{half\n", *cases(1, first=3)])

    assert counts(summary) == {"cases": 3, "accepted": 2, "reviews": 1, "forms": 1, "bad_lines": 1}
    assert {name: one.final_answer for name, one in desk.outcomes().items()} == {"c1": "yes", "c3": "yes"}
    assert {case: run["state"]["name"] for case, run in desk.reviews().items()} == {"c2": "Suspended"}
    assert json.loads((desk.folder / "cases.jsonl.bad.jsonl").read_text())["number"] == 3
    assert "decided by the model alone | 2" in desk.artifact(f"hitl-batch-{summary.batch}")
    assert "**3 of 3 cases**" in desk.artifact(f"hitl-batch-{summary.batch}-progress")


def test_the_summary_says_once_that_the_last_review_is_settled(desk):
    """And how the reviews ended; the outcomes of people are beside those of the model."""
    desk.model("yes 0.9", "no 0.5", "no 0.4")
    summary = desk.run(cases(3))
    before = desk.artifact(f"hitl-batch-{summary.batch}")
    approved, rejected = desk.reviews().values()
    desk.settle(approved)
    desk.settle(rejected, decision="reject", reason="no")

    after = desk.artifact(f"hitl-batch-{summary.batch}")
    assert "2 forms wait for people" in before
    assert "Every review is settled" in after
    assert "approved | 1" in after
    assert sorted(one.decision for one in desk.outcomes().values()) == ["accept", "approve", "reject"]


def test_a_further_run_of_the_same_cases_asks_nobody(desk):
    """Neither the model nor people: the ledger knows what came of each."""
    model = desk.model("yes 0.9", "no 0.5")
    first = desk.run(cases(2))
    second = desk.run(cases(2))

    assert (model.calls, len(desk.reviews())) == (2, 1)
    assert (second.batch, counts(second)) == (first.batch, counts(first))


def test_an_id_that_occurs_twice_is_refused_before_the_model_is_asked(desk):
    model = desk.model("yes 0.9")

    with pytest.raises(ConfigError, match="'c1' in lines 1 and 3, 'c2' in lines 2 and 4"):
        desk.run([*cases(2), *cases(2)])
    assert (model.calls, desk.outcomes()) == (0, {})


def test_a_case_that_was_decided_before_is_passed_over(desk):
    """Also by another batch; one that was decided with another prompt is refused."""
    model = desk.model("yes 0.9")
    desk.run(cases(2))
    summary = desk.run(cases(3))

    assert (counts(summary), model.calls) == ({"cases": 3, "accepted": 1, "decided_before": 2}, 3)
    with pytest.raises(ConfigError, match=r"line 1: case 'c1' .* with another prompt"):
        desk.run([{"id": "c1", "prompt": "Is it another?"}])


def test_a_case_that_was_forgotten_is_passed_over(desk):
    """Nobody is asked about it again, and the rest goes on."""
    model = desk.model("yes 0.9")
    desk.run(cases(1))
    forget(desk.store, Wish(task=desk.task, case="c1", by="dpo", reason="ticket 7", at=datetime.now(UTC)))
    summary = desk.run(cases(2))

    assert (counts(summary), model.calls) == ({"cases": 2, "accepted": 1, "decided_before": 1}, 2)


def test_a_dry_run_asks_nobody(desk):
    model = desk.model("yes 0.9")
    summary = desk.run([*cases(2), "no json\n"], dry_run=True)

    assert (counts(summary), model.calls, desk.outcomes()) == ({"cases": 2, "bad_lines": 1}, 0, {})


def test_a_case_that_failed_is_told_and_asked_about_by_the_next_run(desk):
    model = desk.model("yes 0.9", ProviderDenied("no"), "yes 0.9")
    first = desk.run(cases(2))
    second = desk.run(cases(2))

    assert counts(first) == {"cases": 2, "accepted": 1, "failed": 1}
    assert (counts(second), model.calls) == ({"cases": 2, "accepted": 2}, 3)


def test_a_run_whose_cases_have_all_failed_has_failed(desk):
    desk.model(ProviderDenied("the key is wrong"))

    with pytest.raises(ProviderError, match="all 2 cases failed, the first one: ProviderDenied: the key is wrong"):
        desk.run(cases(2))


def test_an_answer_that_is_under_way_is_kept_when_another_case_ends_the_run(desk):
    """Whatever ended it: the answer is paid for, and the next run does not ask for it again."""
    register(desk.task, [Step(text='{"answer": "yes", "confidence": 0.9}', delay_s=0.5), RuntimeError("a bug")])
    with pytest.raises(RuntimeError, match="a bug"):
        desk.run(cases(2), chunk=1, in_flight=2)
    model = desk.model("yes 0.9")
    summary = desk.run(cases(2))

    assert (counts(summary), model.calls) == ({"cases": 2, "accepted": 2}, 1)


def test_another_store_is_another_batch(desk):
    """What stands in the first one is not in the second."""
    desk.model("yes 0.9")
    first = desk.run(cases(2))
    desk.store = FolderStore(desk.folder / "others")
    second = desk.run(cases(2))

    assert (counts(second), sorted(desk.outcomes())) == ({"cases": 2, "accepted": 2}, ["c1", "c2"])
    assert first.batch != second.batch


def test_the_highest_expected_losses_take_the_reviews_of_the_day(desk):
    """What is held is asked about when there is room again; the model is not asked anew."""
    model = desk.model("yes 0.5", "yes 0.1", "yes 0.3")
    first = desk.run(cases(3), policy=BAR.model_copy(update={"max_reviews_per_day": 2}))
    held = sorted(desk.reviews())
    second = desk.run(cases(3), policy=BAR.model_copy(update={"max_reviews_per_day": 3}))

    assert (counts(first), held) == ({"cases": 3, "reviews": 2, "forms": 2, "held": 1}, ["c2", "c3"])
    assert (counts(second), model.calls) == ({"cases": 3, "reviews": 3, "forms": 3}, 3)


def test_a_batch_that_goes_on_ends_once_with_what_all_of_its_runs_counted(desk, resident):
    """Whichever run opened the review that is settled last; whoever waits for either run waits for all reviews."""
    desk.model("yes 0.5")
    policy = {"policy": BAR.model_copy(update={"max_reviews_per_day": 1})}
    summary, early = desk.run(cases(2), **policy), dict(desk.reviews())
    desk.run(cases(2))
    late = [run for case, run in desk.reviews().items() if case not in early]
    desk.settle(*late)
    waiting = desk.endings(summary.batch)
    desk.settle(*early.values())

    ends = [one for one in resident.artifacts(f"hitl-batch-{summary.batch}") if "Every review is settled" in one]
    assert (len(ends), "held" in ends[0], "approved | 2" in ends[0]) == (1, False, True)
    assert [(one.code, one.reviews_open) for one in waiting] == [(4, 1)] * 2
    assert [(one.code, one.reviews_open) for one in desk.endings(summary.batch)] == [(0, 0)] * 2


def test_over_the_budget_the_policy_decides_where_it_says_so(desk):
    desk.model("yes 0.5")
    policy = Policy(min_confidence=0.8, max_reviews_per_day=0, over_budget="fallback", fallback="unknown")
    summary = desk.run(cases(2), policy=policy)

    assert counts(summary) == {"cases": 2, "over_budget": 2}
    found = {(one.decided_by, one.decision, one.final_answer) for one in desk.outcomes().values()}
    assert found == {("policy", "fallback", "unknown")}


def test_one_form_answers_the_cases_whose_drafts_say_the_same(desk):
    """The first ones are asked about by themselves, and each form has its members."""
    desk.model("yes 0.5", "no 0.5", "yes 0.4", "yes 0.3")
    policy = Policy(min_confidence=0.8, grouping=Grouping(one_by_one=1))
    summary = desk.run(cases(4), policy=policy)

    assert counts(summary) == {"cases": 4, "reviews": 4, "forms": 3}
    asked = {case: json.loads(run["parameters"]["asked"]) for case, run in desk.reviews().items()}
    members = {case: [one["case"]["id"] for one in about.get("members", ())] for case, about in asked.items()}
    assert members == {"c1": [], "c2": [], "c3": ["c4"]}


def test_a_budget_of_money_holds_for_the_whole_batch(desk, tmp_path, monkeypatch):
    """The next run goes on where a higher one lets it."""
    prices = tmp_path / "prices.json"
    price = {"input": 500_000, "output": 500_000}
    prices.write_text(json.dumps({"prices": {"scripted": {"*": price}}}))
    monkeypatch.setenv("HITL_PRICES", str(prices))
    model = desk.model("yes 0.9")

    with pytest.raises(BudgetSpent, match=r"the batch has spent \$2 of max_cost_usd=2"):
        desk.run(cases(4), policy=BAR.model_copy(update={"max_cost_usd": 2}))
    summary = desk.run(cases(4), policy=BAR.model_copy(update={"max_cost_usd": 9}))
    assert (model.calls, counts(summary), summary.cost_usd) == (4, {"cases": 4, "accepted": 4}, 4)


@pytest.mark.timeout(60)
async def test_a_batch_that_is_cancelled_ends_at_once(desk):
    """Cases wait for a free lane then, and those that have one wait for models that take minutes."""
    register(desk.task, 9 * [Step(text='{"answer": "yes", "confidence": 0.9}', delay_s=600)])
    asking = BAR.model_copy(update={"scorers": (Agreement(samples=2),)})
    source = desk.file(cases(3))

    @flow
    async def cancelled():
        async with asyncio.timeout(2):
            await aresolve_cases(
                source, task=desk.task, model=f"scripted:{desk.task}", store=desk.store.url, policy=asking, in_flight=1
            )

    home = {PREFECT_HOME: desk.folder / "home"}
    with desk.resident.connected(), temporary_settings(home), pytest.raises(TimeoutError):
        await cancelled()
