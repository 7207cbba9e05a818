"""What is at stake in a case: what a wrong answer costs, and what it costs to expect."""

import math
from datetime import datetime

from pydantic import JsonValue

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.example_turns import without_examples
from hitl_prefect.fields import field_at
from hitl_prefect.models import Case, Generation, Score
from hitl_prefect.outcomes import Verdict
from hitl_prefect.policy import Policy

__all__ = ["believed", "error_cost", "expected_loss", "is_doubtful", "seconds_of", "too_fast", "words_of"]


def error_cost(policy: Policy, answer: JsonValue) -> float | None:
    """What it costs if this answer is wrong, at least 0; `None` where nobody can tell.

    >>> error_cost(Policy(error_cost="total"), {"total": -12.5})
    12.5
    """
    if not isinstance(policy.error_cost, str):
        return policy.error_cost
    try:
        cost = abs(float(field_at(answer, policy.error_cost)))
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return None
    return cost if math.isfinite(cost) else None


def expected_loss(policy: Policy, generation: Generation, score: Score) -> float | None:
    """`(1 - confidence) * error_cost`; a missing confidence is 0. `None` where nobody can tell the cost."""
    cost = error_cost(policy, generation.answer)
    return None if cost is None else round((1 - (score.confidence or 0)) * cost, 6)


def is_doubtful(first: Verdict, case: Case, generation: Generation, score: Score, policy: Policy) -> bool:
    """Whether the policy wants a second opinion beside a first verdict.

    What is at stake is the larger cost of two, the draft's and that of the answer given: a total is not made harmless
    by being edited to 1. Where nobody can tell the cost, it counts as high.
    """
    rule = policy.second_opinion
    if rule is None:
        return False
    overrode = canonical_bytes(first.answer) != canonical_bytes(generation.answer)
    if overrode and rule.overrode_at is not None and (score.confidence or 0) >= rule.overrode_at:
        return True
    if rule.error_cost_at is not None and _at_stake(policy, generation.answer, first.answer) >= rule.error_cost_at:
        return True
    words = words_of(*(message.text for message in without_examples(case.messages)), generation.text)
    return rule.words_per_minute is not None and too_fast(first, words, rule.words_per_minute)


def _at_stake(policy: Policy, *answers: JsonValue) -> float:
    costs = [error_cost(policy, answer) for answer in answers if answer is not None] or [error_cost(policy, None)]
    return max(math.inf if cost is None else cost for cost in costs)


def words_of(*texts: str) -> int:
    """How many words somebody would have to read."""
    return sum(len(text.split()) for text in texts)


def believed(seen_at: datetime | None, opened_at: datetime, decided_at: datetime) -> datetime | None:
    """When somebody was shown a form, as their own door says; `None` where it says what cannot be."""
    return seen_at if seen_at is not None and opened_at <= seen_at <= decided_at else None


def seconds_of(verdict: Verdict) -> float:
    """How long a verdict took, in seconds.

    The clock starts when the person was shown the form, where the door tells and can be believed, else when the round
    was opened.
    """
    shown_at = believed(verdict.seen_at, verdict.opened_at, verdict.decided_at) or verdict.opened_at
    return (verdict.decided_at - shown_at).total_seconds()


def too_fast(verdict: Verdict, words: int, words_per_minute: float) -> bool:
    """Whether a verdict came sooner than that many words can be read, or for many cases at once."""
    return verdict.bulk or seconds_of(verdict) < words / words_per_minute * 60
