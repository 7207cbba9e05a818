"""A user's own flows, as they stand in a folder that a worker reads."""

import os
import time
from pathlib import Path

from prefect import flow
from pydantic import BaseModel, Field

from hitl_prefect import (
    Case,
    Outcome,
    Policy,
    conclude,
    generate,
    resolve_case,
    review,
    route,
    save_outcome,
    score,
)


class Invoice(BaseModel):
    vendor: str
    total: float = Field(ge=0)
    notes: dict[str, str] = Field(default_factory=dict)


@flow
def extract_invoice(document: str, model: str, store: str, policy: Policy, case_id: str | None = None) -> Outcome:
    return resolve_case(
        f"Extract the invoice.\n\n{document}",
        answer=Invoice,
        model=model,
        task="invoices",
        policy=policy,
        store=store,
        case_id=case_id,
    )


@flow
def step_by_step(document: str, model: str, store: str, policy: Policy) -> None:
    """The same by hand, with a gate behind the draft where a test can make the worker die."""
    case = Case(id="by-hand", task="invoices", prompt=document, answer=Invoice)
    generation = generate(case, model=model)
    _pass_gate("generated")
    scored = score(case, generation, policy=policy)
    routed = route(case, generation, scored, policy=policy)
    reviewed = review(case, generation, scored, routed, policy=policy)
    outcome = conclude(case, generation, scored, routed, reviewed, policy=policy)
    save_outcome(outcome, store=store)


def _pass_gate(name: str) -> None:
    """Say that we are here, then wait until the gate is open."""
    gates = Path(os.environ["GATES"])
    (gates / f"{name}.reached").touch()
    while not (gates / f"{name}.open").exists():
        time.sleep(0.05)
