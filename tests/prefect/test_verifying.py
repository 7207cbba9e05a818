"""`hitl verify` on a store that real flow runs filled: whatever honest reviewing comes to has no finding."""

import time
from pathlib import Path
from typing import Any

import pytest

from hitl_prefect import Policy
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.verifying import verify_store
from tests.prefect.flows import agents
from tests.prefect.flows.agents import PAY, pay_bill
from tests.prefect.flows.invoices import extract_invoice

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
OTHER = {"vendor": "ACME", "total": 13.0, "notes": {}}
THIRD = {"vendor": "ACME Ltd", "total": 13.0, "notes": {}}
THREE = ["ada", "bob", "eve"]
TWO = {"quorum": 2, "reviewers": THREE}


def said(decision: str, reviewer: str = "ada", **typed: Any) -> dict[str, Any]:
    return {"decision": decision, "reviewer": reviewer, **typed}


def edited(reviewer: str = "ada", answer: Any = OTHER) -> dict[str, Any]:
    return said("edit", reviewer, answer=answer)


BY_PEOPLE: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "mended": ({}, [edited(answer=DRAFT | {"vendor": " "}), edited()]),
    "outvoted": (
        TWO | {"quorum": 3, "tie_breakers": ["sue"]},
        [said("approve"), edited("bob"), edited("eve")],
    ),
    "tie-break": (TWO, [said("approve"), edited("bob"), edited("eve", THIRD)]),
    "escalated in a quorum, and again": (
        TWO | {"escalate_to": ["sue"]},
        [edited(), said("escalate", "bob"), said("retry", "sue", guidance="Again."), said("approve", "sue")],
    ),
    "second opinion": (
        {"second_opinion": {"overrode_at": 0.5}, "reviewers": THREE},
        [edited(), edited("bob")],
    ),
    "three attempts": (
        {"reviewers": THREE},
        [said("retry", guidance="Look."), said("retry", guidance="Again."), said("approve")],
    ),
    "seeded": ({"probes": {"seeded": 1}}, [said("approve"), said("approve")]),
}
OFTEN = ("escalated in a quorum, and again", "second opinion", "seeded")
"""Between them they take every way that verdicts go; the others run with `make test-all`."""
LATE: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "fallback": ({"on_deadline": "fallback", "fallback": {"vendor": "unknown", "total": 0}}, []),
    "escalated": ({"on_deadline": "escalate", "escalate_to": ["sue"]}, [said("approve", "sue")]),
    "widened": (
        {"reviewers": ["ada"], "widen_to": ["bob"], "widen_after_s": 1, "deadline_s": 3600, "on_deadline": "reject"},
        [said("approve", "bob")],
    ),
}


def findings(folder: Path, policy: dict[str, Any]) -> list[str]:
    """Of the one outcome that was stored, first without its policy and then with it."""
    made = Policy.model_validate(policy)
    found = [verify_store(FolderStore(folder), known) for known in ({}, {made.version: made})]
    assert [one.outcomes for one in found] == [1, 1]
    return [one.problem for each in found for one in each.findings]


def finish(resident, run: str, words: list[dict[str, Any]]) -> str:
    for typed in words:
        assert resident.answer(run, **typed)["status"] == "ACCEPT"
        resident.go_on(run)
    return resident.state(run)


@pytest.mark.parametrize(
    "kind", [kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.full) for kind in BY_PEOPLE]
)
def test_what_people_decided_has_no_finding(resident, document, tmp_path, kind):
    """With its policy and without."""
    policy, words = BY_PEOPLE[kind]
    model = resident.drafting(DRAFT, DRAFT | {"total": 1}, DRAFT | {"total": 2})
    run = resident.start(extract_invoice, document=document, policy=policy, model=model, store=f"folder:{tmp_path}")

    assert finish(resident, run, words) == "Completed"
    assert findings(tmp_path, policy) == []


@pytest.mark.parametrize("kind", LATE)
@pytest.mark.full
def test_what_the_clock_decided_has_no_finding(resident, document, tmp_path, kind):
    """Nor what people decided after it."""
    policy, words = {"deadline_s": 1, **LATE[kind][0]}, LATE[kind][1]
    model = resident.drafting(DRAFT)
    run = resident.start(extract_invoice, document=document, policy=policy, model=model, store=f"folder:{tmp_path}")
    time.sleep(1.1)
    resident.chase()
    resident.go_on(run)

    assert finish(resident, run, words) == "Completed"
    assert findings(tmp_path, policy) == []


@pytest.mark.full
def test_an_agents_tool_call_has_no_finding(resident, tmp_path):
    """What people said of its arguments is checked like any answer."""
    agents.wanted[:] = [PAY]
    policy = {"reviewers": ["ada", "bob"]}
    run = resident.start(pay_bill, prompt="Pay bill 7.", policy=policy, store=f"folder:{tmp_path}")

    assert finish(resident, run, [said("approve")]) == "Completed"
    assert findings(tmp_path, policy) == []
