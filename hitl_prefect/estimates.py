"""How often the machine is wrong, told from few labels: of what was accepted, and of everything.

People see all that is unsure and little of the rest, so the share of errors among reviewed cases says nothing of the
machine: on recorded answers it is 59% where 19% are wrong. Here each label counts for all cases that it stands for.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import NamedTuple

from hitl_prefect.binomial import exact_interval
from hitl_prefect.evidence import Evidence, Key
from hitl_prefect.frozen import Frozen
from hitl_prefect.shares import Share

__all__ = ["ErrorRate", "error_of_accepted", "error_of_all", "per_key"]

_UNSEEN = 0.05
"""Where a larger share of the cases has no label among its like, there is no figure: nobody knows."""


class ErrorRate(Frozen):
    """An error rate with its 95% interval, each in [0, 1]."""

    value: float
    low: float
    high: float
    labels: int
    """Cases that a person decided."""
    cases: int
    """All that they stand for."""

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


def error_of_accepted(evidence: Iterable[Evidence], *, bar: float | None = None) -> ErrorRate | None:
    """The error rate of the machine's drafts among cases that were accepted, told from the audits.

    Args:
        evidence: In any order, with the cases that nobody looked at.
        bar: Cases at or above it count as accepted too, whatever became of them: so the labels of the time before there
            was a bar tell something of one. Those below it do not, even where an older bar accepted them.

    Returns:
        `None` where nothing is known: nothing was accepted, or it was not audited.

    Source:
        As `error_of_all`.
    """
    if bar is None:
        return _error_rate([one for one in _drafts(evidence) if one.action == "accept" or one.reason == "audit"])
    routed = [one for one in _drafts(evidence) if one.reason != "rule" and one.confidence is not None]
    return _error_rate([one for one in routed if one.confidence is not None and one.confidence >= bar])


def error_of_all(evidence: Iterable[Evidence]) -> ErrorRate | None:
    """The error rate of the machine's drafts among all cases with a valid one, accepted or not.

    Cases with the same propensity form a stratum; the rate of its labels stands for all of it. That is weighting each
    label by 1 / propensity (Hájek), with the propensity as it came out instead of as it was meant: the same figure on
    average, with less noise. The interval joins the exact intervals of the strata: with 5% audits of recorded answers
    it holds the truth in at least 95% of simulations (`benchmarks.risk_budget`).

    Args:
        evidence: In any order, with the cases that nobody looked at.

    Returns:
        `None` where more than one in twenty of the cases have no label among their like.

    Source:
        Horvitz, Thompson (1952), JASA 47; Hájek (1971); the interval: Zou, Donner (2008), Statistics in Medicine 27.
    """
    return _error_rate(_drafts(evidence))


def per_key(
    evidence: Iterable[Evidence], estimate: Callable[[Sequence[Evidence]], ErrorRate | None]
) -> dict[Key, ErrorRate | None]:
    """An estimate for each evidence key, in the order of the keys."""
    groups: dict[Key, list[Evidence]] = defaultdict(list)
    for one in evidence:
        groups[one.key].append(one)
    return {key: estimate(groups[key]) for key in sorted(groups)}


def _drafts(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Those whose draft was a valid answer: of the others nobody says whether they were right."""
    return [one for one in evidence if one.reason not in ("invalid", "refused", "truncated")]


def _error_rate(cases: Sequence[Evidence]) -> ErrorRate | None:
    strata = [stratum for stratum in _strata(cases) if stratum.wrong.of]
    seen = sum(stratum.cases for stratum in strata)
    if not seen or seen < (1 - _UNSEEN) * len(cases):
        return None
    value, below, above = _joined(strata, seen)
    known = seen / len(cases)
    return ErrorRate(
        value=value,
        # What has no label of its like may be all right, or all wrong.
        low=known * max(0.0, value - below),
        high=known * min(1.0, value + above) + 1 - known,
        labels=sum(stratum.wrong.of for stratum in strata),
        cases=len(cases),
    )


class _Stratum(NamedTuple):
    """Cases of one propensity."""

    cases: int
    wrong: Share
    """Of those with a label."""


def _strata(cases: Iterable[Evidence]) -> list[_Stratum]:
    found: dict[float, list[Evidence]] = defaultdict(list)
    for one in cases:
        found[one.propensity].append(one)
    return [
        _Stratum(len(like), Share.true(not one.right for one in like if one.right is not None))
        for like in found.values()
    ]


def _joined(strata: Iterable[_Stratum], cases: int) -> tuple[float, float, float]:
    """The mean of the strata's rates by size, and how far its interval reaches below and above it."""
    value = below = above = 0.0
    for stratum in strata:
        part, rate = stratum.cases / cases, stratum.wrong.hits / stratum.wrong.of
        low, high = exact_interval(stratum.wrong.hits, stratum.wrong.of)
        value += part * rate
        below += (part * (rate - low)) ** 2
        above += (part * (high - rate)) ** 2
    return value, sqrt(below), sqrt(above)
