"""How much of what was accepted unseen is wrong, told from the few that a person looked at all the same."""

from collections.abc import Iterable
from math import sqrt

from pydantic import Field

from hitl_prefect.evidence import Evidence
from hitl_prefect.frozen import Frozen

__all__ = ["Estimate", "error_of", "escaped_error"]

_Z = 1.959964
"""The normal quantile of a two-sided 95% interval."""


class Estimate(Frozen):
    """An error rate among many, told from a few, with its 95% interval; each in [0, 1]."""

    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    labels: int = Field(ge=1)
    """Of how many a person said whether they are right."""


def escaped_error(evidence: Iterable[Evidence]) -> Estimate | None:
    """The error rate of what is accepted, of which audits are a sample.

    Args:
        evidence: Of one task, or of one week of it.

    Returns:
        `None` where no audit has been answered: then nobody knows.
    """
    return error_of(one for one in evidence if one.reason == "audit")


def error_of(evidence: Iterable[Evidence]) -> Estimate | None:
    """The error rate of the cases that some labels stand for, each with the weight 1 / propensity.

    Args:
        evidence: Those without a label are passed over.

    Returns:
        Hájek's ratio with Wilson's interval for as many labels as the weights leave (Kish); `None` without a label.

    Source:
        Hájek (1971); Kish (1965), Survey Sampling; Wilson (1927), JASA 22.
    """
    weighted = [(1 / one.propensity, one.right) for one in evidence if one.right is not None and one.propensity > 0]
    if not weighted:
        return None
    total = sum(weight for weight, _ in weighted)
    rate = min(1.0, sum(weight for weight, right in weighted if not right) / total)
    low, high = _wilson(rate, total**2 / sum(weight**2 for weight, _ in weighted))
    return Estimate(value=rate, low=low, high=high, labels=len(weighted))


def _wilson(rate: float, of: float) -> tuple[float, float]:
    middle = (rate * of + _Z**2 / 2) / (of + _Z**2)
    half = _Z * sqrt(of * rate * (1 - rate) + _Z**2 / 4) / (of + _Z**2)
    return max(0.0, middle - half), min(1.0, middle + half)
