"""How far raters agree beyond chance. What they said is compared for equality only: nominal data.

Both figures are 1 where all agree, 0 where they agree as often as raters would who draw from what was said, and below 0
where they agree less often than that. Where a figure has no value it is `None`, and a sentence says why; never NaN.
"""

from collections import Counter
from collections.abc import Hashable, Iterable

from hitl_prefect.frozen import Frozen

__all__ = ["Agreement", "cohen_kappa", "krippendorff_alpha"]

_ONE_ANSWER = "all said the same everywhere: chance would agree as well"


class Agreement(Frozen):
    """A figure of agreement, or why there is none."""

    value: float | None
    """At most 1; `None` where it has no value."""
    why: str = ""
    """Why there is no value; empty where there is one."""
    units: int
    """What it was computed from: the cases that at least two rated."""


def cohen_kappa(pairs: Iterable[tuple[Hashable, Hashable]]) -> Agreement:
    """Cohen's kappa: how far two raters agree beyond what their own habits make of chance.

    Args:
        pairs: What the first and the second said of each case.

    Returns:
        A value in [-1, 1]. None without pairs, and where both said one and the same thing of every case.

    Source:
        Cohen (1960), Educational and Psychological Measurement 20.

    >>> cohen_kappa([("yes", "yes"), ("yes", "yes"), ("no", "no"), ("no", "yes")]).value
    0.5
    >>> cohen_kappa([]).why
    'no case that two have rated'
    """
    firsts: Counter[Hashable] = Counter()
    seconds: Counter[Hashable] = Counter()
    units = same = 0
    for first, second in pairs:
        units, same = units + 1, same + (first == second)
        firsts[first] += 1
        seconds[second] += 1
    # Whole numbers until the last step: kappa is 1 where all agree, not nearly 1.
    by_chance = sum(times * seconds[said] for said, times in firsts.items())
    return _figure(same * units - by_chance, units * units - by_chance, units)


def krippendorff_alpha(units: Iterable[Iterable[Hashable | None]]) -> Agreement:
    """Krippendorff's alpha for nominal data: any number of raters, not all of whom rated everything.

    Args:
        units: Per case, what its raters said, in any order. `None` is missing. A case that fewer than two rated tells
            nothing, and is left out.

    Returns:
        A value, at most 1 and above -1. None without a case that two have rated, and where all said one and the same
        thing of every case.

    Source:
        Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, University of Pennsylvania.

    >>> round(krippendorff_alpha([("a", "a", None), ("a", "b"), ("b", "b", "b"), ("a",)]).value, 3)
    0.5
    >>> krippendorff_alpha([("a", "a")]).why
    'all said the same everywhere: chance would agree as well'
    """
    said: Counter[Hashable] = Counter()
    rated, differing = 0, 0.0
    for unit in units:
        counts = Counter(value for value in unit if value is not None)
        raters = counts.total()
        if raters < 2:
            continue
        rated += 1
        said.update(counts)
        differing += sum(times * (raters - times) for times in counts.values()) / (raters - 1)
    total = said.total()
    by_chance = sum(times * (total - times) for times in said.values())
    return _figure(by_chance - differing * (total - 1), by_chance, rated)


def _figure(above_chance: float, possible: float, units: int) -> Agreement:
    if not units:
        return Agreement(value=None, why="no case that two have rated", units=0)
    if not possible:
        return Agreement(value=None, why=_ONE_ANSWER, units=units)
    return Agreement(value=above_chance / possible, units=units)
