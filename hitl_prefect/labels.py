"""Labels of which some were rarer than others, made into fair samples: as if all had been drawn at one rate.

A person sees every case below the bar and few of those above it. Counted as they are, labels speak of what people were
asked about; thinned, they speak of all cases from a threshold upwards.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate

from hitl_prefect.evidence import Evidence

__all__ = ["Count", "Label", "acceptable", "counts_from", "labels_of"]

_NEVER_ACCEPTED = ("invalid", "refused", "truncated")
"""Reasons that send a case to a person at any confidence: such cases are none of the bar's."""


@dataclass(frozen=True, slots=True)
class Label:
    """One case with a confidence, and whether it was right as far as anybody knows."""

    confidence: float
    """In [0, 1]."""
    right: bool | None
    """`None` where nobody looked: such a case only tells how rarely its like are looked at."""
    propensity: float
    """The probability with which the case was sent to a person, in [0, 1]."""
    era: str
    """What routed it, a policy version or several alike: within it the propensity depends on the confidence alone."""
    case_id: str


def acceptable(evidence: Iterable[Evidence]) -> list[Evidence]:
    """The evidence of cases that some bar could have accepted: none that a rule or an invalid draft sent to a person.

    Where a policy version routed nothing by confidence (`review="always"`) all of its cases are.
    """
    known = [one for one in evidence if one.reason not in _NEVER_ACCEPTED]
    with_bar = {one.policy_version for one in known if one.reason != "rule"}
    return [one for one in known if one.reason != "rule" or one.policy_version not in with_bar]


def labels_of(evidence: Iterable[Evidence]) -> list[Label]:
    """What there is to find a bar from, for evidence of one key: the cases that are `acceptable`."""
    known = acceptable(evidence)
    eras = _eras_of(known)
    return [
        Label(
            one.confidence, one.right if one.is_label else None, one.propensity, eras[one.policy_version], one.case_id
        )
        for one in known
        if one.confidence is not None
    ]


def _eras_of(known: Sequence[Evidence]) -> dict[str, str]:
    """The era of each policy version: those that audit the same share above the same bar are one.

    A version may last for a few cases, none of them at or above its bar. That it saw all of them is chance, and they
    would count in full where their like are thinned: it belongs to the era that audits the least above that bar.
    """
    rates: dict[str, float] = {}
    rarest: dict[float, float] = {}
    for one in known:
        if one.bar is not None and one.reason != "rule" and (one.confidence or 0) >= one.bar:
            rates[one.policy_version] = one.propensity
            rarest[one.bar] = min(one.propensity, rarest.get(one.bar, 1.0))
    return {one.policy_version: _era(one, rates, rarest) for one in known}


def _era(one: Evidence, rates: dict[str, float], rarest: dict[float, float]) -> str:
    if one.bar is None or one.reason == "rule" or one.bar not in rarest:
        return one.policy_version
    return f"bar {one.bar!r}, audits {rates.get(one.policy_version, rarest[one.bar])!r}"


@dataclass(frozen=True, slots=True)
class Count:
    """What is known of the cases at or above one threshold."""

    threshold: float
    labels: int
    """Those kept."""
    errors: int
    """The wrong ones among them."""


def counts_from(labels: Iterable[Label], grid: Sequence[float]) -> list[Count]:
    """Labels and errors at or above each threshold, thinned so that they are a fair sample of the cases there.

    A label at or above threshold t is kept with the probability q(t) / propensity, where q(t) is the lowest propensity
    of any case of the same era there. So each case at or above t, whatever its confidence, came to be labelled and kept
    with the same probability q(t): which cases were kept says nothing of whether they are right, and the errors among
    those kept are binomial with the error rate at or above t. The same is true in every era, so that eras are pooled.
    Where an era never looks at some case at or above t, q(t) is 0 and it has no say about t.

    The lot of a case is a hash of its id, one for all thresholds: the same labels give the same counts, and who is
    kept was settled before anybody looked.

    Args:
        labels: Of one evidence key.
        grid: Thresholds, rising, the first at most every confidence.

    Returns:
        One count per threshold, falling: the strictest first.

    Source:
        Sampling by rejection: von Neumann (1951); of labels that were chosen by score: Horvitz, Thompson (1952).
    """
    enter, wrong = [0] * (len(grid) + 1), [0] * (len(grid) + 1)
    for era in _eras(labels):
        for label, first, after in _kept(era, grid):
            for place, step in ((first, 1), (after, -1)):
                enter[place] += step
                wrong[place] += step * (not label.right)
    return [Count(*one) for one in zip(reversed(grid), accumulate(enter), accumulate(wrong), strict=False)]


def _eras(labels: Iterable[Label]) -> Iterable[list[Label]]:
    found: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        found[label.era].append(label)
    return found.values()


def _kept(era: list[Label], grid: Sequence[float]) -> Iterable[tuple[Label, int, int]]:
    """Each label with its span in the falling grid: where it begins to count, and where it is thinned out."""
    falling = sorted(era, key=lambda label: -label.confidence)
    places = [len(grid) - bisect_right(grid, label.confidence) for label in falling]
    # Negative, since bisect wants rising numbers and the lowest propensity so far falls.
    lowest = [-rate for rate in accumulate((label.propensity for label in falling), min)]
    for label, first in zip(falling, places, strict=True):
        lost = bisect_left(lowest, -_lot(label.case_id) * label.propensity)
        after = places[lost] if lost < len(places) else len(grid)
        if label.right is not None and first < after:
            yield label, first, after


def _lot(case_id: str) -> float:
    """In [0, 1); salted, so that it has nothing to do with the lot by which a case became an audit."""
    return int.from_bytes(sha256(f"thinning:{case_id}".encode()).digest()[:6]) / 2**48
