"""So many of so many: shown as two numbers, with an interval that says how little a few cases tell."""

from collections.abc import Iterable
from math import sqrt
from typing import Self

from pydantic import Field

from hitl_prefect.frozen import Frozen

__all__ = ["FEW", "Gap", "Share", "counted", "gap"]

FEW = 20
"""Below so many cases a share is shown without a percentage: one case would move it by more than 5 points."""

_Z = 1.959964
"""The normal quantile of a two-sided 95% interval."""


class Share(Frozen):
    """So many of so many."""

    hits: int = Field(ge=0)
    of: int = Field(ge=0)

    @classmethod
    def true(cls, values: Iterable[bool]) -> Self:
        """How many are true.

        >>> str(Share.true([True, False]))
        '1 of 2'
        """
        found = list(values)
        return cls(hits=sum(found), of=len(found))

    @property
    def value(self) -> float | None:
        """The share, in [0, 1]; `None` of no cases."""
        return self.hits / self.of if self.of else None

    def interval(self) -> tuple[float, float]:
        """The 95% interval of the proportion, in [0, 1]; (0, 1) where there are no cases.

        Source:
            Wilson (1927), JASA 22.

        >>> [round(bound, 3) for bound in Share(hits=37, of=40).interval()]
        [0.801, 0.974]
        """
        if not self.of:
            return 0.0, 1.0
        middle = (self.hits + _Z**2 / 2) / (self.of + _Z**2)
        half = _Z * sqrt(self.hits * (self.of - self.hits) / self.of + _Z**2 / 4) / (self.of + _Z**2)
        return max(0.0, middle - half), min(1.0, middle + half)

    def told(self) -> str:
        """The two numbers, and from 20 cases on the percentage too.

        >>> Share(hits=3, of=4).told(), Share(hits=30, of=40).told()
        ('3 of 4', '30 of 40 (75%)')
        """
        return f"{self} ({100 * self.hits / self.of:.0f}%)" if self.of >= FEW else str(self)

    def __str__(self) -> str:
        return f"{self.hits} of {self.of}"


def counted(number: int, noun: str) -> str:
    """So many of a thing, in words.

    >>> counted(1, "case"), counted(1200, "case")
    ('1 case', '1,200 cases')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class Gap(Frozen):
    """How much larger one share is than another, with its 95% interval; each in [-1, 1]."""

    value: float
    low: float
    high: float


def gap(one: Share, other: Share) -> Gap | None:
    """How much larger the first share is.

    Args:
        one: A share.
        other: Another one, of other cases.

    Returns:
        The difference; `None` where one of the two is of no cases.

    Source:
        Newcombe (1998), Statistics in Medicine 17, method 10.

    >>> found = gap(Share(hits=56, of=70), Share(hits=48, of=80))
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    if one.value is None or other.value is None:
        return None
    value = one.value - other.value
    (one_low, one_high), (other_low, other_high) = one.interval(), other.interval()
    low = value - sqrt((one.value - one_low) ** 2 + (other_high - other.value) ** 2)
    high = value + sqrt((one_high - one.value) ** 2 + (other.value - other_low) ** 2)
    return Gap(value=value, low=low, high=high)
