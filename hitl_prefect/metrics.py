"""How good is a confidence? Ranking, risk at a coverage and calibration, each with its uncertainty.

Everything here takes the same two columns: `confidence`, in [0, 1], and `right`, whether the case turned out right.
Nothing returns NaN: where a figure has no value it is `None`, and where the columns are unusable a `ConfigError` says
why. Cases with equal confidence cannot be told apart, so that no figure depends on their order.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.frozen import Frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "Interval",
    "Metric",
    "aurc",
    "auroc",
    "bootstrap_interval",
    "brier",
    "coverage_at_risk",
    "expected_calibration_error",
    "prr",
    "risk_curve",
]

Metric = Callable[[Sequence[float], Sequence[bool]], float | None]
"""A figure of `confidence` and `right`; `None` where it has no value."""


def auroc(confidence: Sequence[float], right: Sequence[bool]) -> float | None:
    """The probability that a right case has a higher confidence than a wrong one, ties counting half.

    Args:
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.

    Returns:
        A value in [0, 1]; 0.5 is no better than chance. `None` where all are right or all are wrong.

    Raises:
        ConfigError: If the lengths differ, there are no cases, or a confidence is outside [0, 1].

    Source:
        Hanley, McNeil (1982), Radiology 143.

    >>> auroc([0.9, 0.8, 0.3], [True, False, False])
    1.0
    """
    np = _numpy()
    sure, good = _columns(confidence, right)
    hits = float(good.sum())
    misses = len(good) - hits
    if not hits or not misses:
        return None
    _, place, count = np.unique(sure, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[good > 0].sum() - hits * (hits + 1) / 2) / (hits * misses))


def risk_curve(confidence: Sequence[float], right: Sequence[bool]) -> tuple[float, ...]:
    """The error rate among the surest 1, 2, ... of the cases; within a tie, the one that a random order would give.

    Args:
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.

    Returns:
        One risk in [0, 1] per case; the last one is the error rate of all.

    Raises:
        ConfigError: As `auroc`.

    Source:
        El-Yaniv, Wiener (2010), JMLR 11.

    >>> risk_curve([0.9, 0.8, 0.8, 0.1], [True, False, True, True])
    (0.0, 0.25, 0.3333333333333333, 0.25)
    """
    return tuple(float(risk) for risk in _risks(*_columns(confidence, right)))


def aurc(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The area under the risk curve: the mean risk over all coverages.

    Args:
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.

    Returns:
        A value in [0, 1], lower is better; the error rate where the confidence is the same for all.

    Raises:
        ConfigError: As `auroc`.

    Source:
        Geifman, Uziel, El-Yaniv (2019), ICLR, arXiv 1805.08206.

    >>> aurc([0.5, 0.5], [True, False])
    0.5
    """
    return float(_risks(*_columns(confidence, right)).mean())


def prr(confidence: Sequence[float], right: Sequence[bool]) -> float | None:
    """The prediction rejection ratio: how much of what a perfect ranking saves over a random one is saved.

    Args:
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.

    Returns:
        At most 1, which is perfect; 0 is as good as chance, below it worse. `None` where all are right or all are
        wrong: no ranking saves anything.

    Raises:
        ConfigError: As `auroc`.

    Source:
        Malinin, Mlodozeniec, Gales (2020), ICLR, arXiv 1905.00076, with the area under the risk curve.

    >>> prr([0.9, 0.1], [True, False])
    1.0
    """
    sure, good = _columns(confidence, right)
    chance = 1 - float(good.mean())
    if chance in (0.0, 1.0):
        return None
    return float((chance - _risks(sure, good).mean()) / (chance - _risks(good, good).mean()))


def expected_calibration_error(confidence: Sequence[float], right: Sequence[bool], *, bins: int = 10) -> float:
    """Mean gap between confidence and share of right cases, weighted by bin size.

    Args:
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.
        bins: Equal-width bins over [0, 1]; a confidence at an edge belongs to the bin above, 1 to the last.

    Returns:
        A value in [0, 1]; 0 is perfect. Biased upwards where bins hold few cases.

    Raises:
        ConfigError: As `auroc`, or if there are no bins.

    Source:
        Naeini, Cooper, Hauskrecht (2015), AAAI.

    >>> expected_calibration_error([0.0, 1.0], [False, True])
    0.0
    """
    if bins < 1:
        raise ConfigError(f"bins={bins}: calibration is looked at in at least one bin")
    np = _numpy()
    sure, good = _columns(confidence, right)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=sure - good, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


def brier(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The mean squared distance between confidence and what came of it (1 right, 0 wrong).

    Args:
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.

    Returns:
        A value in [0, 1], lower is better; always saying 0.5 gives 0.25.

    Raises:
        ConfigError: As `auroc`.

    Source:
        Brier (1950), Monthly Weather Review 78.

    >>> brier([1.0, 0.5], [True, False])
    0.125
    """
    sure, good = _columns(confidence, right)
    return float(((sure - good) ** 2).mean())


def coverage_at_risk(confidence: Sequence[float], right: Sequence[bool], *, risk: float) -> float:
    """The largest share that a bar could accept with an error rate of at most `risk`, chosen in hindsight.

    Only what a bar can do counts: cases with equal confidence are accepted together or not at all. It is a figure of
    the ranking and no promise: a bar that is read off the same cases breaks its word on new ones about half the time.

    Args:
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.
        risk: The error rate among accepted cases, in [0, 1].

    Returns:
        A share in [0, 1]; 0 where no bar keeps the risk.

    Raises:
        ConfigError: As `auroc`, or if the risk is outside [0, 1].

    Source:
        Geifman, El-Yaniv (2017), NeurIPS, arXiv 1705.08500.

    >>> coverage_at_risk([0.9, 0.8, 0.7], [True, True, False], risk=0.05)
    0.6666666666666666
    """
    if not 0 <= risk <= 1:
        raise ConfigError(f"risk={risk} is no error rate: give a number in [0, 1]")
    np = _numpy()
    sure, good = _columns(confidence, right)
    order = np.argsort(-sure, kind="stable")
    sure, wrong = sure[order], np.cumsum(1 - good[order])
    accepted = np.arange(1, len(sure) + 1)
    realisable = np.append(sure[1:] != sure[:-1], True)
    kept = accepted[realisable & (wrong <= risk * accepted + 1e-9)]
    return float(kept.max() / len(sure)) if len(kept) else 0.0


class Interval(Frozen):
    """A figure and how far it is to be trusted."""

    value: float
    """The figure of all cases."""
    low: float
    high: float
    level: float = Field(gt=0, lt=1)
    """The share of such intervals that hold the true figure, about: a percentile interval is short for few cases."""

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap_interval(
    metric: Metric,
    confidence: Sequence[float],
    right: Sequence[bool],
    *,
    against: Sequence[float] | None = None,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval | None:
    """The percentile interval of a metric over cases drawn anew; the same seed gives the same interval.

    Args:
        metric: Such as `auroc`.
        confidence: Per case, in [0, 1].
        right: Whether the case turned out right; same length.
        against: Another confidence of the same cases: the interval is that of the metric's difference, `confidence`
            less `against`, on the same draws.
        draws: How often the cases are drawn.
        seed: Of the draws.
        level: In (0, 1).

    Returns:
        `None` where the metric has no value on all cases, or has none in more than half of the draws; else those few
        draws are left out.

    Raises:
        ConfigError: As `auroc`, or if there are no draws, or the level is not between 0 and 1.

    Source:
        Efron (1979), Annals of Statistics 7.

    >>> print(bootstrap_interval(brier, [1.0, 0.5, 0.5, 0.0], [True, True, False, False]))
    0.125 (0.000 to 0.250)
    """
    if draws < 1 or not 0 < level < 1:
        raise ConfigError(f"draws={draws}, level={level}: draw at least once, with a level between 0 and 1")
    np = _numpy()
    sure, good = _columns(confidence, right)
    other = None if against is None else _columns(against, right)[0]
    value = _figure(metric, sure, good, other)
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, len(good), len(good)) for _ in range(draws))
    found = [_figure(metric, sure[one], good[one], None if other is None else other[one]) for one in drawn]
    known = [one for one in found if one is not None]
    if value is None or len(known) * 2 < draws:
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value=value, low=float(low), high=float(high), level=level)


def _figure(metric: Metric, sure: "Floats", good: "Floats", other: "Floats | None") -> float | None:
    # Arrays stand in for the sequences: metrics turn them into arrays anyway.
    mine = metric(sure, good)  # type: ignore[arg-type]
    if other is None or mine is None:
        return mine
    theirs = metric(other, good)  # type: ignore[arg-type]
    return None if theirs is None else mine - theirs


def _risks(sure: "Floats", good: "Floats") -> "Floats":
    """Cumulative mean error, surest first; each case of a tie has the tie's mean error."""
    np = _numpy()
    _, place, count = np.unique(-sure, return_inverse=True, return_counts=True)
    error = np.bincount(place, weights=1 - good) / count
    risks: Floats = np.cumsum(np.repeat(error, count)) / np.arange(1, len(sure) + 1)
    return risks


def _columns(confidence: Sequence[float], right: Sequence[bool]) -> tuple["Floats", "Floats"]:
    """Both columns as numbers, checked."""
    np = _numpy()
    sure, good = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    if len(sure) != len(good):
        raise ConfigError(f"{len(sure)} confidences for {len(good)} cases: give one of each per case")
    if not len(sure):
        raise ConfigError("there are no cases to measure: leave out cases without a confidence, and keep some")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ConfigError("a confidence is outside [0, 1], or NaN: leave out cases without one")
    return sure, good


def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError as exc:
        raise MissingExtra("metrics need numpy: pip install 'hitl_prefect[learn]'") from exc
    return np
