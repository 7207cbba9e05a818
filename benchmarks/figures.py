"""Figures of a score with their intervals, as rows of a Markdown table."""

from collections.abc import Callable, Sequence
from functools import partial

from hitl_prefect.frozen import Frozen
from hitl_prefect.metrics import (
    Interval,
    Metric,
    aurc,
    auroc,
    bootstrap_interval,
    coverage_at_risk,
    expected_calibration_error,
    prr,
)

__all__ = ["FIGURES", "Scored", "figures_table", "markdown", "told"]

FIGURES: dict[str, Metric] = {
    "AUROC": auroc,
    "AURC": aurc,
    "PRR": prr,
    "ECE": expected_calibration_error,
    "coverage at risk 5%": partial(coverage_at_risk, risk=0.05),
    "coverage at risk 10%": partial(coverage_at_risk, risk=0.1),
}


class Scored(Frozen):
    """One score of the same cases."""

    name: str
    confidence: tuple[float, ...]
    right: tuple[bool, ...]


def figures_table(scores: Sequence[Scored], *, what: str, draws: int) -> str:
    """One row per score: how many cases, how many right, and each figure with its interval."""
    rows = [
        [one.name, str(len(one.right)), f"{sum(one.right) / len(one.right):.3f}", *_cells(one, draws)] for one in scores
    ]
    return markdown([what, "cases", "right", *FIGURES], rows)


def _cells(score: Scored, draws: int) -> list[str]:
    return [told(bootstrap_interval(figure, score.confidence, score.right, draws=draws)) for figure in FIGURES.values()]


def told(interval: Interval | None, show: Callable[[float], str] = "{:.3f}".format) -> str:
    """A figure with its interval; a dash where it has none."""
    if interval is None:
        return "-"
    return f"{show(interval.value)} ({show(interval.low)} to {show(interval.high)})"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(markdown(["a"], [["1"]]))
    | a |
    | --- |
    | 1 |
    """
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])
