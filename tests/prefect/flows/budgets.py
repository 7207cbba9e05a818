"""A user's flows that ask models for money."""

import asyncio
import os
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from hitl_prefect import Case, Policy, agenerate, resolve_case
from hitl_prefect.spending import within_budget


@flow
def two_cases(store: str, document: str) -> None:
    """One after the other, under a policy that somebody changes while the run stands still."""
    policy = Policy.model_validate_json(Path(os.environ["GATES"], "policy.json").read_bytes())
    for name in ("left", "right"):
        resolve_case(
            f"{document} {name}",
            model="openai:gpt-5-mini",
            task="budgets",
            policy=policy,
            store=store,
            case_id=f"{name}-{flow_run.id}",
        )


@flow
async def at_once_and_one_more(document: str, count: int, max_cost_usd: float) -> None:
    """Drafts by hand: several that begin at the same time, then one more."""
    cases = [Case(id=f"c{number}", task="budgets", prompt=f"{document} {number}") for number in range(count + 1)]
    with within_budget(Policy(max_cost_usd=max_cost_usd)):
        await asyncio.gather(*(agenerate(case, model="openai:gpt-5-mini") for case in cases[:-1]))
        await agenerate(cases[-1], model="openai:gpt-5-mini")


@flow
async def drafts_at_once(document: str, count: int) -> None:
    """As many drafts as there are cases, all begun at the same time."""
    cases = [Case(id=f"c{number}", task="limits", prompt=f"{document} {number}") for number in range(count)]
    await asyncio.gather(*(agenerate(case, model="openai:gpt-5-mini") for case in cases))
