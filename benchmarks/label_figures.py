"""Learning curves as figures: labels to reach an accuracy, the mean over the way, and a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import t

from benchmarks.figures import markdown, told
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.metrics import Interval

__all__ = ["Curve", "draw_curves", "labels_table", "labels_to_reach", "over_seeds"]

_SHOWN = (300, 500, 1000, 1500)
"""Labels whose accuracy has a column, where the curves reach so far."""


class Curve(Frozen):
    """How right a classifier is, the more labels it has."""

    strategy: str
    seed: int
    points: tuple[tuple[int, float], ...]
    """Labels, and the accuracy on the test file in [0, 1]; in the order of the labels."""

    def at(self, labels: int) -> float:
        """The accuracy with so many labels."""
        return dict(self.points)[labels]

    @property
    def mean(self) -> float:
        """The mean accuracy over all rounds: the area under the curve."""
        return sum(right for _, right in self.points) / len(self.points)


def labels_to_reach(curve: Curve, accuracy: float) -> float | None:
    """The labels with which the accuracy is first reached, read off the straight line between two rounds.

    Returns:
        `None` where it is never reached.

    >>> labels_to_reach(Curve(strategy="margin", seed=0, points=((100, 0.25), (200, 0.75))), 0.5)
    150.0
    """
    first = next((place for place, (_, right) in enumerate(curve.points) if right >= accuracy), None)
    if first is None:
        return None
    labels, right = curve.points[first]
    if first == 0:
        return float(labels)
    before, had = curve.points[first - 1]
    return before + (labels - before) * (accuracy - had) / (right - had)


def over_seeds(values: Sequence[float]) -> Interval:
    """The mean with Student's 95% interval; without width where there is one value."""
    mean = float(np.mean(values))
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0
    return Interval(value=mean, low=mean - half, high=mean + half, level=0.95)


def labels_table(curves: Sequence[Curve]) -> str:
    """One row per strategy; what it saves is told against the random curve of the same beginning.

    Raises:
        ConfigError: If there is no random curve to compare with.
    """
    if not any(one.strategy == "random" for one in curves):
        raise ConfigError("labels saved are told against random ones: measure random too")
    last = curves[0].points[-1][0]
    shown = [labels for labels in _SHOWN if labels <= last]
    goal = f"random's accuracy at {last:,}"
    head = ["strategy", *(f"{labels:,} labels" for labels in shown), "mean", f"labels to {goal}", "fewer"]
    return markdown(head, [_row(name, curves, shown) for name in dict.fromkeys(one.strategy for one in curves)])


def _row(name: str, curves: Sequence[Curve], shown: Sequence[int]) -> list[str]:
    own = [one for one in curves if one.strategy == name]
    accuracies = [told(over_seeds([one.at(labels) for one in own])) for labels in shown]
    return [f"`{name}`", *accuracies, told(over_seeds([one.mean for one in own])), *_saved(own, curves)]


def _saved(own: Sequence[Curve], curves: Sequence[Curve]) -> list[str]:
    random = {one.seed: one for one in curves if one.strategy == "random"}
    last = own[0].points[-1][0]
    needed = [labels_to_reach(one, random[one.seed].at(last)) for one in own]
    if own[0].strategy == "random":
        return [f"{last:,}", "-"]
    known = [labels for labels in needed if labels is not None]
    if len(known) < len(own):
        return [f"more than {last:,} in {len(own) - len(known)} of {len(own)}", "none"]
    fewer = [1 - labels / last for labels in known]
    return [told(over_seeds(known), "{:,.0f}".format), told(over_seeds(fewer), "{:.0%}".format)]


def draw_curves(curves: Sequence[Curve], path: Path) -> None:
    """The learning curves as a PNG: a line per strategy, the range over the beginnings shaded."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name in dict.fromkeys(one.strategy for one in curves):
        own = [one.points for one in curves if one.strategy == name]
        labels = [at for at, _ in own[0]]
        right = np.array([[accuracy for _, accuracy in points] for points in own])
        (line,) = axes.plot(labels, right.mean(axis=0), label=name)
        axes.fill_between(labels, right.min(axis=0), right.max(axis=0), alpha=0.15, color=line.get_color())
    axes.set(xlabel="labels", ylabel="accuracy on the test file")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120, metadata={"Software": None})
