"""Audits: some of what would be accepted is shown to people, who are not told which.

Whoever knows that the model was sure agrees with it more easily. So what a person is told of a review by confidence is
the same, whether the model was unsure or the case was drawn: neither the reason, nor how sure the model was.
"""

from typing import Literal

from hitl_prefect.canonical import sha256_of
from hitl_prefect.models import WORTH_MOST, Route, RouteReason
from hitl_prefect.policy import Policy

__all__ = ["VEILED", "is_drawn", "is_veiled", "told_reason"]

VEILED: Literal["by_confidence"] = "by_confidence"
"""What is told in place of the reason."""

_ALL = 16**12


def is_drawn(task: str, case_id: str, rate: float) -> bool:
    """Whether a case is among the share that is audited; the same for a case however often it is run.

    Args:
        task: What kind of case it is.
        case_id: Which one.
        rate: The share, in [0, 1].

    >>> sum(is_drawn("invoices", f"c{number}", 0.05) for number in range(1000))
    58
    """
    # Salted with a word of its own: the draw is independent of the probes' and of the thinning of labels.
    return int(sha256_of(["audit", task, case_id])[:12], 16) / _ALL < rate


def is_veiled(route: Route, policy: Policy) -> bool:
    """Whether people are not told why they are asked, since it would tell an audit from a draft that is unsure."""
    beside_audits = route.reason == "below_bar" and policy.audits > 0
    return route.reason == "audit" or beside_audits or route.detail.startswith(WORTH_MOST)


def told_reason(route: Route, policy: Policy) -> RouteReason | Literal["by_confidence"]:
    """Why a person is asked, as far as that person is told."""
    return VEILED if is_veiled(route, policy) else route.reason
