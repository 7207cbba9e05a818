"""What a flow run has spent on models, and that it stops at its policy's `max_cost_usd`.

Spent is what the journals of all cases of the run hold: every draft, and every question of a scorer. So it survives
suspending, resuming, retries and crashes, and a retry pays for nothing twice.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.runtime import flow_run as current_run

from hitl_prefect.configured import provider_of, second_model
from hitl_prefect.errors import BudgetSpent, ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Usage
from hitl_prefect.policy import Policy
from hitl_prefect.prices import cost_usd, price_of, price_table
from hitl_prefect.scorer_checks import models_asked

__all__ = ["Paid", "check_prices", "paid_by", "stop_if_spent", "within_budget"]

_PAID_FOR = re.compile(r"^hitl-[0-9a-f]{16}-(generation-\d+|asked-[0-9a-f]+|opened)$")
_PAGE = 200
"""Rows per request."""


class Paid(Frozen):
    """One call that a flow run has paid for."""

    what: str
    """`drafts by` or `questions for scores to`: words for a message, before the model."""
    model: str
    cost_usd: float | None
    """`None`: the provider counted no tokens, or nobody knows the price."""


async def check_prices(policy: Policy, model: str) -> None:
    """Refuse a budget that could not be held: every model that is asked under one has a price.

    Raises:
        ConfigError: If a model has none, or the file that `HITL_PRICES` names cannot be read.
    """
    price_table()
    if policy.max_cost_usd is None:
        return
    for name in await _asked_under(policy, model):
        provider = await provider_of(name)
        if price_of(provider.name, provider.model) is None:
            raise ConfigError(
                f"policy.max_cost_usd={policy.max_cost_usd:g} cannot be held: the price of "
                f"'{provider.name}:{provider.model}' is not known; give it in the JSON file that HITL_PRICES names: "
                f'{{"prices": {{"{provider.name}": {{"{provider.model}": {{"input": 0.5, "output": 2}}}}}}}}, in US '
                "dollars per million tokens"
            )


async def _asked_under(policy: Policy, model: str) -> list[str]:
    """Every model that a case may be shown to."""
    second = second_model(policy, (await provider_of(model)).name)
    # Without named scorers the second model is asked where the first gives no log probabilities.
    asked = models_asked(policy, second) if policy.scorers else (second,)
    return list(dict.fromkeys([model, *(one for one in asked if one is not None)]))


_budget: ContextVar[float | None] = ContextVar("hitl_budget", default=None)


@contextmanager
def within_budget(policy: Policy) -> Iterator[None]:
    """Within the block, no call to a model begins once the flow run has spent the policy's `max_cost_usd`."""
    token = _budget.set(policy.max_cost_usd)
    try:
        yield
    finally:
        _budget.reset(token)


async def stop_if_spent(model: str) -> None:
    """Called right before a call to `model`; without a budget it asks nobody.

    Calls under way, up to the moment when their answer is recorded, are not counted: together they may pass the budget
    by what they cost.

    Raises:
        BudgetSpent: If the flow run has spent its budget, or nobody knows what it has spent.
    """
    limit_usd = _budget.get()
    if limit_usd is None or current_run.id is None:
        return
    run_id = UUID(str(current_run.id))
    async with get_client() as client:
        paid = await paid_by(client, run_id)
    _hold(limit_usd, paid, f"flow run {run_id}", model)


def _hold(limit_usd: float, paid: list[Paid], run: str, model: str) -> None:
    unknown = sorted({one.model for one in paid if one.cost_usd is None})
    if unknown:
        raise BudgetSpent(
            f"{run} asked {', '.join(unknown)}, and what that cost is not known: no tokens were counted, or no price "
            f"stands under that name. max_cost_usd={limit_usd:g} cannot be held, and the next call, to {model}, was "
            "not made; give the price in HITL_PRICES, or drop max_cost_usd, and retry the run: what was paid for is "
            "kept"
        )
    spent_usd = sum(one.cost_usd or 0 for one in paid)
    if spent_usd >= limit_usd:
        raise BudgetSpent(
            f"{run} has spent ${spent_usd:.6g} of max_cost_usd={limit_usd:g}: {_in_words(paid)}; the next call, to "
            f"{model}, was not made. Raise max_cost_usd in the policy and retry the run: what was paid for is kept"
        )


def _in_words(paid: list[Paid]) -> str:
    """On what, the dearest first."""
    groups: dict[str, list[float]] = defaultdict(list)
    for one in paid:
        groups[f"{one.what} {one.model}"].append(one.cost_usd or 0)
    dearest = sorted(groups.items(), key=lambda group: -sum(group[1]))
    return ", ".join(f"{len(costs)} {what} ${sum(costs):.6g}" for what, costs in dearest)


_ledgers: dict[UUID, dict[str, Paid | None]] = {}
"""By flow run: every row that this process has read, and what it was paid for. A row never changes."""


async def paid_by(client: PrefectClient, flow_run_id: UUID) -> list[Paid]:
    """What a flow run has paid for, over all of its cases; reads only the rows that it has not read before."""
    ledger = _ledgers.setdefault(flow_run_id, {})
    while rows := await client.filter_flow_run_input(flow_run_id, "hitl-", _PAGE, set(ledger)):
        ledger.update({row.key: _paid(row.key, row.value) for row in rows})
    return [one for one in ledger.values() if one is not None]


def _paid(key: str, value: str) -> Paid | None:
    """What a row was paid for; `None` where it is no call to a model."""
    found = _PAID_FOR.match(key)
    if found is None:
        return None
    row = json.loads(value)
    if found[1] == "opened":
        # A draft that was made before, such as a batch's, was paid for as well.
        row = row.get("draft")
        if row is None:
            return None
    what = "questions for scores to" if found[1].startswith("asked") else "drafts by"
    return Paid(what=what, model=row["model"], cost_usd=_cost_now(row) if row["cost_usd"] is None else row["cost_usd"])


def _cost_now(row: dict[str, Any]) -> float | None:
    """What a call cost by a price that was given since."""
    return cost_usd(row.get("provider", ""), row["model"], Usage.model_validate(row["usage"]))
