"""What one outcome says of how far its machine can be trusted: the row that calibrating, replaying and reporting read.

It is about the first draft: that one would have shipped, had it been accepted.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic_core import to_jsonable_python

from hitl_prefect.canonical import sha256_of
from hitl_prefect.models import Attempt, Case, Promise, RouteReason
from hitl_prefect.outcomes import CaseRecord, Outcome

__all__ = [
    "Evidence",
    "How",
    "Key",
    "evidence_of",
    "first_attempt",
    "how_decided",
    "last_attempt",
    "only_in_bulk",
    "prompt_name",
    "was_right",
]

How = Literal["accepted", "prefilled", "blind", "bulk", "audit", "deadline", "policy"]
"""How a final answer came about: the machine's own, or a person's who saw the draft filled in, who saw none, who
answered many at once, or who checked what would have been accepted; or that of the deadline or of the policy."""


class Key(NamedTuple):
    """What evidence holds for; where one of them changes, nothing is known yet."""

    task: str
    model: str
    prompt: str
    """See `prompt_name`."""
    scorer: str
    """How the confidence was made, as in `Score.combined`: `min(stated, logprob)`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One outcome, as far as trust goes."""

    key: Key
    case_id: str
    confidence: float | None
    """Of the first draft, in [0, 1]."""
    right: bool | None
    """Whether the first draft was right, as a person decided; `None` where no person did, or only in bulk."""
    action: Literal["accept", "review"]
    reason: RouteReason
    propensity: float
    """The probability with which the case was sent to a person, in [0, 1]."""
    bar: float | None
    """The bar in force."""
    policy_version: str
    how: How
    decided_at: datetime
    cost_usd: float | None
    """US dollars of all drafts and scores; `None` where nobody knows."""
    promise: Promise | None = None
    """What the policy promised, where it has a risk budget."""

    @property
    def is_label(self) -> bool:
        """Whether a person said if the draft was right, and a confidence can be held against that."""
        return self.right is not None and self.confidence is not None and self.propensity > 0


def evidence_of(outcome: Outcome[Any]) -> Evidence:
    """The row of an outcome.

    A case that was answered by the form of another one has no label, nor one that was only answered in bulk: nobody
    looked at it.
    """
    first = first_attempt(outcome)
    attempts = (*outcome.earlier, last_attempt(outcome))
    costs = [cost for one in attempts for cost in (one.generation.cost_usd, one.score.cost_usd)]
    return Evidence(
        key=Key(outcome.case.task, first.generation.model, prompt_name(outcome.case), first.score.combined),
        case_id=outcome.case.id,
        confidence=first.score.confidence,
        right=None if only_in_bulk(outcome) else was_right(outcome),
        action=first.route.action,
        reason=first.route.reason,
        propensity=first.route.propensity,
        bar=first.route.bar,
        policy_version=first.route.policy_version,
        how=how_decided(outcome),
        decided_at=outcome.decided_at,
        cost_usd=None if None in costs else sum(cost or 0 for cost in costs),
        promise=first.route.promise,
    )


def first_attempt(outcome: Outcome[Any]) -> Attempt:
    """The attempt that was routed first."""
    return outcome.earlier[0] if outcome.earlier else last_attempt(outcome)


def last_attempt(outcome: Outcome[Any]) -> Attempt:
    """The attempt that was decided about."""
    return Attempt(generation=outcome.generation, score=outcome.score, route=outcome.route)


def was_right(outcome: Outcome[Any]) -> bool | None:
    """Whether the first draft was right, as a person decided; `None` where no person did.

    It is right where the same answer shipped in the end, and wrong where another did, or none. What a deadline, the
    policy or the model alone decided is no label, nor is a verdict on a draft that was no valid answer, nor one that
    was given to another case of a group.
    """
    first = first_attempt(outcome)
    by_people = outcome.review is not None and outcome.decided_by in ("human", "quorum", "audit")
    if not by_people or outcome.is_answered_elsewhere or first.generation.status != "ok" or not first.route.propensity:
        return None
    if outcome.decision == "approve" and not outcome.earlier:
        return True
    if outcome.decision in ("approve", "edit"):
        return bool(to_jsonable_python(outcome.final_answer) == first.generation.answer)
    return False if outcome.decision == "reject" else None


def only_in_bulk(outcome: Outcome[Any]) -> bool:
    """Whether all who answered did so for many cases at once, as `hitl answer --where` does."""
    verdicts = outcome.review.verdicts if outcome.review else ()
    return bool(verdicts) and all(one.bulk for one in verdicts)


def how_decided(outcome: Outcome[Any]) -> How:
    """How the final answer came about."""
    if outcome.decided_by == "model":
        return "accepted"
    if outcome.decided_by in ("deadline", "policy"):
        return "deadline" if outcome.decided_by == "deadline" else "policy"
    if outcome.decided_by == "audit" or outcome.route.reason == "audit":
        return "audit"
    return _how_reviewed(outcome)


def _how_reviewed(outcome: Outcome[Any]) -> How:
    review = outcome.review
    if review is None or not review.verdicts:
        return "prefilled"
    if outcome.is_answered_elsewhere or review.verdicts[-1].bulk:
        return "bulk"
    return "blind" if outcome.generation.status != "ok" else "prefilled"


def prompt_name(case: CaseRecord | Case) -> str:
    """Names the prompt that all cases of a kind have in common.

    The case's own `metadata["prompt_version"]` where it has one; else the first 12 characters of the sha256 of its
    system messages; `-` where it has none. The user's part is different in each case and is not in it.
    """
    if (version := case.metadata.get("prompt_version")) is not None:
        return str(version)
    systems = [one.model_dump(mode="json") for one in case.messages if one.role == "system"]
    return sha256_of(systems)[:12] if systems else "-"
