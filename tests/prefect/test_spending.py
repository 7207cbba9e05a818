"""A flow run stops at its policy's budget, says so, and goes on where the budget is raised."""

import json

import pytest

from hitl_prefect.errors import BudgetSpent, ConfigError
from hitl_prefect.policy import Policy
from hitl_prefect.scorers import Agreement
from hitl_prefect.spending import Paid, _hold, _paid, check_prices
from hitl_prefect.stores.folder import FolderStore
from tests.prefect.flows.budgets import two_cases
from tests.prefect.site import Site
from tests.wire.loopback import LoopbackAI

DRAFT_USD = (11 * 0.25 + 7 * 2) / 1e6
"""By GPT-5 mini, with the tokens that the loopback server counts."""
QUESTION_USD = (11 * 0.1 + 7 * 0.5) / 1e6
"""To Claude Haiku 5.5, which the other provider's key opens as the second model."""
CASE_USD = DRAFT_USD + QUESTION_USD


@pytest.fixture(scope="module")
def paid_ai():
    with LoopbackAI('{"answer": "yes", "confidence": 0.9}') as ai:
        yield ai


@pytest.fixture(scope="module")
def paying_site(prefect_server, tmp_path_factory, paid_ai):
    """A site whose models cost money; it stores in a folder."""
    folder = tmp_path_factory.mktemp("paying")
    site = Site(prefect_server, folder, FolderStore(folder / "outcomes"), pool="paying", **paid_ai.env)
    site.deploy("budgets.py:at_once_and_one_more")
    site.worker.start()
    yield site
    site.close()


@pytest.fixture
def allow(tmp_path, monkeypatch, paid_ai):
    """Changes the policy that the flow reads."""
    for name, value in {**paid_ai.env, "GATES": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)

    def changed(max_cost_usd):
        policy = Policy(min_confidence=0.5, max_cost_usd=max_cost_usd)
        (tmp_path / "policy.json").write_text(policy.model_dump_json())

    return changed


def test_a_run_stops_at_its_budget_and_goes_on_when_it_is_raised(resident, allow, paid_ai, document):
    """It says what was spent, on what and how to go on; the retry pays for nothing twice."""
    allow(CASE_USD)
    run = resident.start(two_cases, document=document)
    message, asked_before = resident.run(run)["state"]["message"], len(paid_ai.requests)
    allow(10 * CASE_USD)
    resident.force(run, "AwaitingRetry", "SCHEDULED")
    assert resident.go_on(run) == "Completed"

    assert (
        f"BudgetSpent: flow run {run} has spent ${CASE_USD:.6g} of max_cost_usd={CASE_USD:g}: "
        f"1 drafts by gpt-5-mini ${DRAFT_USD:.6g}, 1 questions for scores to claude-haiku-5-5 ${QUESTION_USD:.6g}; "
        "the next call, to openai:gpt-5-mini, was not made. Raise max_cost_usd in the policy and retry the run"
    ) in message
    assert (asked_before, len(paid_ai.requests)) == (2, 4)
    assert sorted(one["case"]["id"] for one in resident.outcomes(run)) == [f"left-{run}", f"right-{run}"]
    assert [one["generation"]["cost_usd"] for one in resident.outcomes(run)] == [pytest.approx(DRAFT_USD)] * 2


@pytest.mark.full
def test_calls_under_way_may_pass_the_budget_and_no_other(paying_site, paid_ai, document):
    """Three begin at the same time under a budget for one; the fourth begins after them, and is not made."""
    run = paying_site.start_as_declared(
        paying_site.deploy("budgets.py:at_once_and_one_more"), document=document, count=3, max_cost_usd=DRAFT_USD
    )
    paying_site.wait(run, "Failed")
    message = paying_site.run(run)["state"]["message"]

    assert f"has spent ${3 * DRAFT_USD:.6g} of max_cost_usd={DRAFT_USD:g}: 3 drafts by gpt-5-mini" in message
    assert len([one for one in paid_ai.requests if document in str(one.body)]) == 3


BUDGET = {"max_cost_usd": 1, "second_model": None}


@pytest.mark.parametrize(
    ("model", "policy", "named"),
    [
        ("openai:unheard-of", Policy(**BUDGET), "openai:unheard-of"),
        ("openai:gpt-5-mini", Policy(**BUDGET | {"second_model": "anthropic:unheard-of"}), "anthropic:unheard-of"),
        (
            "openai:gpt-5-mini",
            Policy(**BUDGET, scorers=(Agreement(model="openai:unheard-of"),)),
            "openai:unheard-of",
        ),
    ],
    ids=["drafts", "second", "scorer"],
)
async def test_a_budget_over_a_model_without_a_price_is_refused(paid_ai, monkeypatch, model, policy, named):
    """Whoever is asked under a budget has a price; the error says where to give it."""
    for variable, value in paid_ai.env.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"the price of '{named}' is not known; give it in .* HITL_PRICES"):
        await check_prices(policy, model)


@pytest.mark.parametrize("policy", [Policy(**BUDGET), Policy(scorers=(Agreement(model="openai:unheard-of"),))])
async def test_prices_are_asked_for_where_there_is_a_budget_only(paid_ai, monkeypatch, policy):
    for variable, value in paid_ai.env.items():
        monkeypatch.setenv(variable, value)

    assert await check_prices(policy, "openai:gpt-5-mini") is None


KEY = f"hitl-{'0' * 16}-asked-{'a' * 24}"


def a_row(**facts):
    """A question's row of the journal, as it was recorded before anybody knew the price."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    return json.dumps({"provider": "openai", "model": "llama", "cost_usd": None, "usage": usage} | facts)


def test_a_run_whose_spending_nobody_knows_stops_and_says_what_to_do():
    """No tokens were counted, or the provider answers under a name without a price."""
    with pytest.raises(BudgetSpent, match=r"flow run r asked llama, and what that cost is not known.*HITL_PRICES"):
        _hold(1.0, [_paid(KEY, a_row())], "flow run r", "openai:llama")


def test_a_price_that_is_given_later_counts_for_what_was_paid_before(tmp_path, monkeypatch):
    """So that giving it is enough for the retry."""
    path = tmp_path / "prices.json"
    path.write_text('{"prices": {"openai": {"llama": {"input": 1, "output": 2}}}}')
    monkeypatch.setenv("HITL_PRICES", str(path))

    assert _paid(KEY, a_row()) == Paid(what="questions for scores to", model="llama", cost_usd=20 / 1e6)


def test_a_model_without_a_price_is_never_free():
    """Also where models that run here, which cost nothing, are in the table."""
    assert _paid(KEY, a_row(model="mystery")).cost_usd is None


def test_a_draft_that_was_made_before_counts_as_paid():
    """Such as a batch's; a case that was opened without one cost nothing yet."""
    opened = f"hitl-{'0' * 16}-opened"

    assert _paid(opened, json.dumps({"draft": json.loads(a_row(cost_usd=0.5))})).cost_usd == 0.5
    assert _paid(opened, json.dumps({"draft": None})) is None


@pytest.mark.parametrize("step", ["judged-1", "round-1-1", "outcome", "generation-x"])
def test_rows_that_are_no_calls_to_a_model_cost_nothing(step):
    assert _paid(f"hitl-{'0' * 16}-{step}", "no JSON") is None
