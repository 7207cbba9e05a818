"""What is checked of one stored outcome: each check is a function that yields one sentence per finding.

A check may raise `ValueError` where an outcome cannot be gone through again; that is a finding too.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.models import Case
from hitl_prefect.outcomes import IndexEntry, Outcome, Settlement, Verdict, index_key, outcome_key
from hitl_prefect.panel import Ask, Heard, Sitting
from hitl_prefect.people import Probes
from hitl_prefect.policy import Policy
from hitl_prefect.routing import route
from hitl_prefect.signatures import SignatureState, signature_state

__all__ = ["CHECKS", "Check", "Policies", "Stored"]

Policies = Mapping[str, Policy]
"""By version, as routes name them."""


class Stored(NamedTuple):
    """One outcome as it is stored."""

    index_key: str
    """Under which key its index entry stands."""
    entry: IndexEntry
    body: bytes
    outcome: Outcome[JsonValue]
    policies: Policies

    @property
    def policy(self) -> Policy | None:
        """The policy that it was made under, where it was given."""
        return self.policies.get(self.outcome.route.policy_version)

    @property
    def said(self) -> tuple[Verdict, ...]:
        """Every verdict, also those that measured the reviewing."""
        review = self.outcome.review
        return (*review.verdicts, *(one.verdict for one in review.probes)) if review else ()

    def state_of(self, verdict: Verdict) -> SignatureState:
        """What a verdict's signature is worth; without the policy nobody can tell."""
        case = self.outcome.case
        if verdict.signature is None or self.policy is None:
            return "missing" if verdict.signature is None else "unknown"
        return signature_state(verdict, task=case.task, case=case.id, policy=self.policy)


Check = Callable[[Stored], Iterator[str]]


def _fits_its_sha256(stored: Stored) -> Iterator[str]:
    if hashlib.sha256(stored.body).hexdigest() != stored.entry.sha256:
        yield f"its bytes are not those that {stored.index_key} names: it was changed after it was stored"


def _fits_its_key(stored: Stored) -> Iterator[str]:
    case = stored.outcome.case
    if outcome_key(stored.outcome) != stored.entry.key or index_key(case.task, case.id) != stored.index_key:
        yield f"it is the outcome of case {case.id!r} of task {case.task!r} and belongs under another key"


def _is_about_its_drafts(stored: Stored) -> Iterator[str]:
    """Each verdict is about a draft of this case, and what `approve` let ship is that draft."""
    outcome = stored.outcome
    drafts = {draft.sha256: draft for draft in outcome.drafts}
    for verdict in outcome.review.verdicts if outcome.review else ():
        draft = drafts.get(verdict.draft_sha256)
        if draft is None or draft.attempt != verdict.attempt:
            yield f"{_who(verdict)} is about a draft that is not among its attempts"
        elif verdict.decision == "approve" and not _same(verdict.answer, draft.answer):
            yield f"{_who(verdict)} approves another answer than the draft that it names"


def _ships_what_was_settled(stored: Stored) -> Iterator[str]:
    outcome = stored.outcome
    settled = outcome.review.settled if outcome.review else None
    by_people = outcome.decided_by in ("human", "quorum")
    if settled is None and by_people:
        yield f"it was decided by {outcome.decided_by}, and holds no review"
    elif settled is not None and by_people:
        if not _same_ending(settled, outcome.decision, outcome.final_answer, outcome.decided_by):
            yield "its final answer is not what its review settled"
    elif outcome.decision == "accept" and not _same(outcome.final_answer, outcome.generation.answer):
        yield "its final answer is not the draft that was accepted"
    if outcome.route.action == "review" and outcome.decided_by == "model":
        yield "it was sent to a person and decided by the model"


def _settled_by_its_verdicts(stored: Stored) -> Iterator[str]:
    """The policy comes to the same settlement again from the verdicts alone."""
    outcome, policy = stored.outcome, stored.policy
    if outcome.review is None or policy is None or outcome.decided_by not in ("human", "quorum"):
        return
    settled, again = outcome.review.settled, _sitting(outcome, policy).next_step()
    if isinstance(again, Ask):
        yield f"its policy asks somebody more: a {again.role}'s verdict is missing"
    elif not _same_ending(settled, again.decision, again.answer, again.decided_by):
        yield "its verdicts do not lead to what it says was settled"


def _is_decided_by_whom_its_policy_lets(stored: Stored) -> Iterator[str]:
    """Neither the model nor the deadline takes the place of a person whom the policy asks."""
    outcome, policy = stored.outcome, stored.policy
    if policy is None:
        return
    again = route(_case(outcome), outcome.generation, outcome.score, policy=policy)
    if outcome.decided_by == "model" and again.action == "review":
        yield f"its policy sends it to a person ({again.reason.replace('_', ' ')}), and the model decided"
    if outcome.decided_by == "deadline" and outcome.decision != policy.on_deadline:
        yield f"its deadline decided {outcome.decision!r}, and its policy says {policy.on_deadline!r}"


def _is_signed(stored: Stored) -> Iterator[str]:
    if stored.policies and stored.policy is None:
        yield f"it was made under policy {stored.outcome.route.policy_version}, which is not among those given"
    for verdict in stored.said:
        state = stored.state_of(verdict)
        if state == "wrong":
            yield f"{_who(verdict)} has a signature that is not theirs, or not for this verdict"
        elif state != "good" and stored.policy is not None and stored.policy.require_signature:
            yield f"{_who(verdict)} lacks the signature that the policy requires"


CHECKS: tuple[Check, ...] = (
    _fits_its_sha256,
    _fits_its_key,
    _is_about_its_drafts,
    _ships_what_was_settled,
    _settled_by_its_verdicts,
    _is_decided_by_whom_its_policy_lets,
    _is_signed,
)
"""What is checked of each outcome; each yields one sentence per finding."""


def _sitting(outcome: Outcome[JsonValue], policy: Policy) -> Sitting:
    """The reviewing of the last draft, as far as verdicts tell; probes decide nothing, and are left out."""
    review = outcome.review
    verdicts = review.verdicts if review else ()
    return Sitting(
        case=_case(outcome),
        generation=outcome.generation,
        score=outcome.score,
        policy=policy.model_copy(update={"probes": Probes()}),
        heard=tuple(
            Heard(ask=Ask(role=one.role), said=one) for one in verdicts if one.attempt == outcome.generation.attempt
        ),
        escalated_before=review.escalated if review else False,
    )


def _case(outcome: Outcome[JsonValue]) -> Case:
    """The case as far as it is stored.

    Its answer type is not. In a review it would refuse no more than what went to a tie-breaker, whose verdict
    counts alone.
    """
    case = outcome.case
    return Case(id=case.id, task=case.task, prompt=case.messages, answer=Any, requester=case.requester)


def _same_ending(settled: Settlement, decision: str, answer: JsonValue, decided_by: str) -> bool:
    return (settled.decision, settled.decided_by) == (decision, decided_by) and _same(settled.answer, answer)


def _same(one: JsonValue, other: JsonValue) -> bool:
    return canonical_bytes(one) == canonical_bytes(other)


def _who(verdict: Verdict) -> str:
    return f"{verdict.decision} by {verdict.reviewer!r}"
