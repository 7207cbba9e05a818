"""Cases, generations and the rest with everything filled in, for tests that look at one thing."""

from datetime import UTC, datetime
from typing import Any

from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.outcomes import CaseRecord, Outcome, Review, Settlement, Verdict, Versions
from hitl_prefect.tombstones import Tombstone

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def a_case(**changes: Any) -> Case:
    return Case(**{"id": "c1", "task": "invoices", "prompt": "Extract.", **changes})


def a_generation(**changes: Any) -> Generation:
    facts = {
        "answer": {"total": 12.5},
        "text": '{"total": 12.5}',
        "status": "ok",
        "model": "gpt-5-mini",
        "provider": "openai",
        "prompt_sha256": a_case().prompt_sha256,
        "created_at": NOON,
    }
    return Generation(**{**facts, **changes})


def a_score(confidence: float | None = 0.8, **changes: Any) -> Score:
    return Score(confidence=confidence, combined="min(stated)", **changes)


def a_route(**changes: Any) -> Route:
    facts = {"action": "accept", "reason": "above_bar", "propensity": 0.0, "policy_version": "abc"}
    return Route(**{**facts, **changes})


def a_verdict(**changes: Any) -> Verdict:
    facts = {
        "decision": "approve",
        "answer": {"total": 12.5},
        "reviewer": "ada",
        "attempt": 1,
        "draft_sha256": a_generation().sha256,
        "form_sha256": "f" * 64,
        "opened_at": NOON,
        "decided_at": NOON,
    }
    return Verdict(**{**facts, **changes})


def a_review(*verdicts: Verdict, **changes: Any) -> Review:
    """What people said, settled by the last of them."""
    said = verdicts or (a_verdict(),)
    settled = {
        "decision": said[-1].decision,
        "answer": said[-1].answer,
        "decided_by": "human",
        "decided_at": said[-1].decided_at,
    }
    return Review(**{"verdicts": said, "settled": Settlement(**settled), **changes})


def an_outcome(**changes: Any) -> Outcome[Any]:
    facts = {
        "case": CaseRecord.of(a_case()),
        "generation": a_generation(),
        "score": a_score(),
        "route": a_route(),
        "decision": "accept",
        "final_answer": {"total": 12.5},
        "decided_by": "model",
        "decided_at": NOON,
        "versions": Versions(hitl_prefect="0.1.0", prefect="3.8.8"),
    }
    return Outcome[Any](**{**facts, **changes})


def a_tombstone(**changes: Any) -> Tombstone:
    """What is left of case c1 of the invoices, which somebody asked to forget."""
    facts = {
        "task": "invoices",
        "case": "c1",
        "key": "outcomes/v1/task=invoices/dt=2026-01-02/c1.json",
        "outcome_sha256": "0" * 64,
        "flow_run_id": "7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11",
        "forgotten_at": datetime(2026, 2, 1, tzinfo=UTC),
        "by": "dpo",
        "reason": "ticket 7",
    }
    return Tombstone(**(facts | changes))
