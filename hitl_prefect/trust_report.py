"""How far the machines of a store can be trusted: from evidence to figures. Needs the extra `learn`.

Everything that is told of accepted cases comes from audits, weighted by their propensity: what people were shown
because it was unsure says nothing of what was sure.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, timedelta
from itertools import pairwise

from hitl_prefect.escaping import error_of, escaped_error
from hitl_prefect.evidence import Evidence, Key
from hitl_prefect.gathering import Gathered
from hitl_prefect.metrics import auroc, expected_calibration_error
from hitl_prefect.shares import Share
from hitl_prefect.trust_figures import Bin, KeyRow, Point, TaskTrust, TrustReport, Week

__all__ = ["trust_report"]

_POINTS = 40
"""Bars of the curve: as many as can be told apart in a picture."""
_BINS = 10
_NEWEST = timedelta(days=7)


def trust_report(gathered: Gathered) -> TrustReport:
    """The figures of every task.

    Raises:
        MissingExtra: If numpy is not installed.
    """
    tasks: dict[str, list[Evidence]] = defaultdict(list)
    for one in gathered.evidence:
        tasks[one.key.task].append(one)
    return TrustReport(
        outcomes=len(gathered.evidence),
        tasks=tuple(_task(name, found) for name, found in sorted(tasks.items())),
        unreadable=tuple(gathered.unreadable),
    )


def _task(name: str, evidence: list[Evidence]) -> TaskTrust:
    evidence = sorted(evidence, key=lambda one: one.decided_at)
    keys = _by_key(evidence)
    shown = keys[_shown(evidence)]
    return TaskTrust(
        task=name,
        outcomes=len(evidence),
        first=_day(evidence[0]),
        last=_day(evidence[-1]),
        accepted=Share.true(one.how == "accepted" for one in evidence),
        escaped=escaped_error(evidence),
        overridden=_overridden(evidence),
        cost_usd=sum(one.cost_usd or 0 for one in evidence),
        cost_unknown=sum(one.cost_usd is None for one in evidence),
        keys=tuple(_key_row(key, found) for key, found in reversed(keys.items())),
        shown=_shown(evidence),
        curve=_curve(shown),
        in_force=_in_force(shown),
        reliability=_reliability(shown),
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
    labels = [one for one in evidence if one.is_label]
    confidence, right = [one.confidence or 0.0 for one in labels], [bool(one.right) for one in labels]
    return KeyRow(
        model=key.model,
        prompt=key.prompt,
        scorer=key.scorer,
        outcomes=len(evidence),
        labels=len(labels),
        bar=_last_bar(evidence),
        auroc=auroc(confidence, right) if labels else None,
        calibration_error=expected_calibration_error(confidence, right, bins=_BINS) if labels else None,
        escaped=escaped_error(evidence),
    )


def _last_bar(evidence: Sequence[Evidence]) -> float | None:
    return next((one.bar for one in reversed(evidence) if one.bar is not None), None)


def _curve(evidence: Sequence[Evidence]) -> tuple[Point, ...]:
    """What bars at equal distances in coverage would do, from the strictest to none."""
    scored = sorted(one.confidence for one in evidence if one.confidence is not None)
    ranks = {round(step * len(scored) / _POINTS) for step in range(1, _POINTS + 1)} - {0}
    bars = {scored[-rank] for rank in ranks}
    labels = [one for one in evidence if one.is_label]
    return tuple(_point(scored, labels, bar) for bar in sorted(bars, reverse=True))


def _in_force(evidence: Sequence[Evidence]) -> Point | None:
    scored = sorted(one.confidence for one in evidence if one.confidence is not None)
    bar = _last_bar(evidence)
    return None if bar is None else _point(scored, [one for one in evidence if one.is_label], bar)


def _point(scored: Sequence[float], labels: Iterable[Evidence], bar: float) -> Point:
    """What a bar would do to cases of these confidences, which rise."""
    coverage = (len(scored) - bisect_left(scored, bar)) / len(scored) if scored else 0.0
    return Point(bar=bar, coverage=coverage, risk=error_of(one for one in labels if (one.confidence or 0.0) >= bar))


def _reliability(evidence: Iterable[Evidence]) -> tuple[Bin, ...]:
    labels = [(one.confidence, one) for one in evidence if one.is_label and one.confidence is not None]
    edges = [step / _BINS for step in range(_BINS + 1)]
    found = []
    for low, high in pairwise(edges):
        inside = [each for each in labels if low <= each[0] < high or each[0] == high == 1]
        if error := error_of(one for _, one in inside):
            found.append(Bin(low=low, high=high, confidence=_mean(inside), error=error))
    return tuple(found)


def _mean(labels: Sequence[tuple[float, Evidence]]) -> float:
    total = sum(1 / one.propensity for _, one in labels)
    return sum(confidence / one.propensity for confidence, one in labels) / total


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
        escaped=escaped_error(evidence),
        overridden=_overridden(evidence),
        cost_usd=sum(one.cost_usd or 0 for one in evidence),
    )


def _overridden(evidence: Iterable[Evidence]) -> Share:
    return Share.true(not one.right for one in evidence if one.right is not None)


def _day(one: Evidence) -> date:
    return one.decided_at.astimezone(UTC).date()
