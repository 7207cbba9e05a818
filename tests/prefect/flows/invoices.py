"""A user's own flows, as they stand in a folder that a worker reads."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.runtime import flow_run
from pydantic import BaseModel, Field, field_validator

from hitl_prefect import (
    Case,
    Outcome,
    Policy,
    aresolve_case,
    conclude,
    generate,
    resolve_case,
    review,
    route,
    save_outcome,
    score,
)
from hitl_prefect.configured import store_of


class Invoice(BaseModel):
    vendor: str
    total: float = Field(ge=0)
    notes: dict[str, Any] = Field(default_factory=dict)

    @field_validator("vendor")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("a vendor has a name")
        return value


@flow
def extract_invoice(document: str, store: str, policy: Policy, model: str = "openai:gpt-5-mini") -> Outcome[Invoice]:
    return resolve_case(
        f"Extract the invoice.\n\n{document}", answer=Invoice, model=model, task="invoices", policy=policy, store=store
    )


@flow
def step_by_step(document: str, store: str, policy: Policy, gate: str) -> None:
    """The same by hand, with gates where a test can make the worker die."""
    case = Case(id=gate, task="invoices", prompt=document, answer=Invoice)
    generation = generate(case, model="openai:gpt-5-mini")
    _pass(f"{gate}-generated")
    scored = score(case, generation, policy=policy)
    routed = route(case, generation, scored, policy=policy)
    reviewed = review(case, generation, scored, routed, policy=policy)
    _pass(f"{gate}-reviewed")
    save_outcome(conclude(case, generation, scored, routed, reviewed, policy=policy), store=store)


def _pass(gate: str) -> None:
    """Say that we are here, then wait until the gate is open."""
    gates = Path(os.environ["GATES"])
    (gates / f"{gate}.reached").touch()
    while not (gates / f"{gate}.open").exists():
        time.sleep(0.05)


@flow
def parent(document: str, store: str, policy: Policy) -> None:
    extract_invoice(document, store, policy)


@flow
def inside_a_task(document: str, store: str, policy: Policy) -> None:
    task(extract_invoice.fn)(document, store, policy)


@flow
async def extract_async(document: str, store: str, policy: Policy, model: str) -> Outcome[Invoice]:
    return await aresolve_case(document, answer=Invoice, model=model, task="invoices", policy=policy, store=store)


@flow
def named_case(document: str, store: str, policy: Policy, case_id: str, model: str) -> None:
    resolve_case(document, answer=Invoice, model=model, task="named", policy=policy, store=store, case_id=case_id)


@flow
async def two_at_once(document: str, store: str, policy: Policy) -> None:
    cases = [
        aresolve_case(
            f"{document} {name}",
            answer=Invoice,
            model="openai:gpt-5-mini",
            task="invoices",
            policy=policy,
            store=store,
            case_id=f"{name}-{flow_run.id}",
        )
        for name in ("left", "right")
    ]
    await asyncio.gather(*cases)


@flow
def store_at_once(store: str) -> None:
    """A look at the store without the patience of the task."""
    asyncio.run(store_of(store)).put_once("outcomes/v1/example.json", b"{}")
