"""How far the machines of a store can be trusted: from evidence to figures.

Everything that is told of accepted cases comes from audits, weighted by their propensity: what people were shown
because it was unsure says nothing of what was sure.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, timedelta
from statistics import fmean as mean

from hitl_prefect.estimates import error_of_accepted, error_of_all
from hitl_prefect.evidence import Evidence, Key
from hitl_prefect.gathering import Gathered
from hitl_prefect.shares import Share
from hitl_prefect.trust_figures import Bin, KeyRow, Point, TaskTrust, TrustReport, Week

__all__ = ["trust_report"]

_NOT_BY_CONFIDENCE = ("rule", "invalid", "refused", "truncated")
_POINTS = 40
"""Bars of the curve: as many as can be told apart in a picture."""
_BINS = 10
_NEWEST = timedelta(days=7)


def trust_report(gathered: Gathered) -> TrustReport:
    """The figures of every task."""
    tasks: dict[str, list[Evidence]] = defaultdict(list)
    for one in gathered.evidence:
        tasks[one.key.task].append(one)
    return TrustReport(
        outcomes=len(gathered.evidence),
        tasks=tuple(_task(name, found) for name, found in sorted(tasks.items())),
        unreadable=tuple(gathered.unreadable),
        forgotten=gathered.forgotten,
    )


def _task(name: str, evidence: list[Evidence]) -> TaskTrust:
    evidence = sorted(evidence, key=lambda one: one.decided_at)
    keys = _by_key(evidence)
    shown = _shown(evidence)
    routed, bar = _routed(keys[shown]), _last_bar(keys[shown])
    return TaskTrust(
        task=name,
        outcomes=len(evidence),
        first=_day(evidence[0]),
        last=_day(evidence[-1]),
        accepted=Share.true(one.how == "accepted" for one in evidence),
        escaped=error_of_accepted(evidence),
        overridden=_overridden(evidence),
        cost_usd=sum(one.cost_usd or 0 for one in evidence),
        cost_unknown=sum(one.cost_usd is None for one in evidence),
        keys=tuple(_key_row(key, found) for key, found in reversed(keys.items())),
        shown=shown,
        curve=_curve(routed),
        in_force=None if bar is None else _point(routed, bar),
        reliability=_reliability(routed),
        weeks=_weeks(evidence),
    )


def _by_key(evidence: Sequence[Evidence]) -> dict[Key, list[Evidence]]:
    """By key, the one with the newest outcome last."""
    found: dict[Key, list[Evidence]] = defaultdict(list)
    for one in evidence:
        found[one.key].append(one)
    return dict(sorted(found.items(), key=lambda each: each[1][-1].decided_at))


def _shown(evidence: Sequence[Evidence]) -> Key:
    """The key of most of the newest cases: evidence holds for one key alone, and a stray one shows nothing."""
    since = evidence[-1].decided_at - _NEWEST
    return Counter(one.key for one in evidence if one.decided_at >= since).most_common(1)[0][0]


def _key_row(key: Key, evidence: Sequence[Evidence]) -> KeyRow:
    return KeyRow(
        model=key.model,
        prompt=key.prompt,
        scorer=key.scorer,
        outcomes=len(evidence),
        labels=sum(one.is_label for one in evidence),
        bar=_last_bar(evidence),
        calibration_error=_calibration_error(_reliability(_routed(evidence))),
        escaped=error_of_accepted(evidence),
    )


def _calibration_error(bins: Sequence[Bin]) -> float | None:
    """The mean gap between confidence and share of right cases; of labels alone it would be that of unsure cases."""
    cases = sum(one.error.cases for one in bins)
    return sum(one.error.cases * abs(1 - one.error.value - one.confidence) for one in bins) / cases if cases else None


def _last_bar(evidence: Sequence[Evidence]) -> float | None:
    return next((one.bar for one in reversed(evidence) if one.bar is not None), None)


def _routed(evidence: Iterable[Evidence]) -> list[tuple[float, Evidence]]:
    """What goes by its confidence, the surest first."""
    by_confidence = (one for one in evidence if one.reason not in _NOT_BY_CONFIDENCE)
    routed = [(one.confidence, one) for one in by_confidence if one.confidence is not None]
    return sorted(routed, key=lambda each: -each[0])


def _curve(routed: Sequence[tuple[float, Evidence]]) -> tuple[Point, ...]:
    """What bars at equal distances in coverage would do, from the strictest to none."""
    ranks = {round(step * len(routed) / _POINTS) for step in range(1, _POINTS + 1)} - {0}
    bars = {routed[rank - 1][0] for rank in ranks}
    return tuple(_point(routed, bar) for bar in sorted(bars, reverse=True))


def _point(routed: Sequence[tuple[float, Evidence]], bar: float) -> Point:
    reached = bisect_right(routed, -bar, key=lambda each: -each[0])
    coverage = reached / len(routed) if routed else 0.0
    return Point(bar=bar, coverage=coverage, risk=error_of_all(one for _, one in routed[:reached]))


def _reliability(routed: Sequence[tuple[float, Evidence]]) -> tuple[Bin, ...]:
    bins: dict[int, list[tuple[float, Evidence]]] = defaultdict(list)
    for each in routed:
        bins[min(int(each[0] * _BINS), _BINS - 1)].append(each)
    return tuple(
        Bin(low=at / _BINS, high=(at + 1) / _BINS, confidence=mean(sure for sure, _ in bins[at]), error=error)
        for at in sorted(bins)
        if (error := error_of_all(one for _, one in bins[at]))
    )


def _weeks(evidence: Iterable[Evidence]) -> tuple[Week, ...]:
    weeks: dict[date, list[Evidence]] = defaultdict(list)
    for one in evidence:
        day = _day(one)
        weeks[day - timedelta(days=day.weekday())].append(one)
    return tuple(_week(monday, found) for monday, found in sorted(weeks.items()))


def _week(monday: date, evidence: Sequence[Evidence]) -> Week:
    return Week(
        monday=monday,
        outcomes=len(evidence),
        reviewed=Share.true(one.action == "review" for one in evidence),
        escaped=error_of_accepted(evidence),
        overridden=_overridden(evidence),
        cost_usd=sum(one.cost_usd or 0 for one in evidence),
    )


def _overridden(evidence: Iterable[Evidence]) -> Share:
    return Share.true(not one.right for one in evidence if one.right is not None)


def _day(one: Evidence) -> date:
    return one.decided_at.astimezone(UTC).date()
