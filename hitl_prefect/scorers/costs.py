"""What several calls cost together."""

from collections.abc import Iterable

__all__ = ["together"]


def together(costs: Iterable[float | None]) -> float | None:
    """The sum in US dollars; `None` where one of them is not known, or there are none.

    >>> together([0.5, 0.25])
    0.75
    """
    found = list(costs)
    known = [cost for cost in found if cost is not None]
    return sum(known) if known and len(known) == len(found) else None
