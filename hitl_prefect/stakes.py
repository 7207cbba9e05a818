"""What is at stake in a case: what a wrong answer costs, and what it costs to expect."""

from pydantic import JsonValue

from hitl_prefect.fields import field_at
from hitl_prefect.models import Generation, Score
from hitl_prefect.outcomes import Verdict
from hitl_prefect.policy import Policy

__all__ = ["error_cost", "expected_loss", "too_fast", "words_of"]


def error_cost(policy: Policy, answer: JsonValue) -> float | None:
    """What it costs if this answer is wrong, at least 0; `None` where nobody can tell.

    >>> error_cost(Policy(error_cost="total"), {"total": -12.5})
    12.5
    """
    if not isinstance(policy.error_cost, str):
        return policy.error_cost
    try:
        return abs(float(field_at(answer, policy.error_cost)))
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def expected_loss(policy: Policy, generation: Generation, score: Score) -> float | None:
    """`(1 - confidence) * error_cost`; a missing confidence is 0. `None` where nobody can tell the cost."""
    cost = error_cost(policy, generation.answer)
    return None if cost is None else round((1 - (score.confidence or 0)) * cost, 6)


def words_of(*texts: str) -> int:
    """How many words somebody would have to read."""
    return sum(len(text.split()) for text in texts)


def too_fast(verdict: Verdict, words: int, words_per_minute: float) -> bool:
    """Whether a verdict came sooner than that many words can be read, or for many cases at once.

    The clock starts when the person was shown the form, where the door tells, else when it was opened.
    """
    seconds = (verdict.decided_at - (verdict.seen_at or verdict.opened_at)).total_seconds()
    return verdict.bulk or seconds < words / words_per_minute * 60
