"""Reviews to be opened in flow runs of their own, with everything that a batch would have made."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from hitl_prefect.detached import Detached, Member, aopen_reviews
from hitl_prefect.detached.flow import review
from hitl_prefect.models import Attempt, Case, Generation, Score
from hitl_prefect.policy import Policy
from hitl_prefect.routing import route
from tests.prefect.resident import Resident

__all__ = ["DRAFT", "Letter", "a_case", "a_member", "a_review", "opened"]


class Letter(BaseModel):
    subject: str
    words: int


DRAFT = {"subject": "Late", "words": 3}


def an_attempt(case: Case, policy: Policy, answer: Any, confidence: float = 0.6) -> Attempt:
    made = Generation(
        answer=answer,
        text=str(answer),
        status="ok",
        model="gpt-5-mini",
        provider="openai",
        prompt_sha256=case.prompt_sha256,
        created_at=datetime.now(UTC),
    )
    score = Score(confidence=confidence, combined="min(stated)")
    return Attempt(generation=made, score=score, route=route(case, made, score, policy=policy))


def a_case(prompt: str = "Where is my parcel?", **facts: Any) -> Case:
    return Case(**{"id": f"d-{uuid4().hex[:8]}", "task": "detached", "prompt": prompt, "answer": Letter, **facts})


def a_member(policy: Policy, answer: Any = DRAFT) -> Member:
    case = a_case()
    return Member(case=case, attempt=an_attempt(case, policy, answer))


def a_review(store: str, *, answer: Any = DRAFT, case: Case | None = None, **facts: Any) -> Detached:
    """A review of a letter, under the facts' policy or one without a bar."""
    case, policy = case or a_case(), facts.pop("policy", Policy())
    attempt = an_attempt(case, policy, answer)
    return Detached(**{"case": case, "attempt": attempt, "policy": policy, "model": "none", "store": store, **facts})


def opened(resident: Resident, *reviews: Detached) -> list[str]:
    """Open them as a batch does, each in a run that waits; returns the runs."""
    with resident.connected():
        runs = [str(run_id) for run_id in asyncio.run(aopen_reviews(reviews))]
    resident.adopt(review, *runs)
    return runs
