"""The picture of a risk budget: what bars let through, found by the shipped way and by the naive one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.budgets import Kept
from hitl_prefect.errors import ConfigError, MissingExtra

__all__ = ["draw_picture"]

_EXAM, _MAX_ERROR, _LABELS = "`gpt-4-turbo`, mmlu", 0.1, 1000


def draw_picture(kept: Sequence[Kept], file: Path) -> None:
    """Two histograms of the true error rate among what is accepted, the budget between what keeps and what breaks it.

    Raises:
        ConfigError: If the row that is drawn was not measured.
        MissingExtra: If matplotlib is not installed.
    """
    row = next((one for one in kept if (one.exam, one.max_error, one.labels) == (_EXAM, _MAX_ERROR, _LABELS)), None)
    if row is None:
        raise ConfigError(f"there is no row of {_EXAM} at {_MAX_ERROR:.0%} with {_LABELS} labels to draw")
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingExtra("the picture needs matplotlib: pip install matplotlib") from exc
    # One salt and no date: the same figures give the same bytes. Text stays text, so that it can be searched.
    mpl.rcParams.update({"svg.hashsalt": "hitl_prefect", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, sharey=True)
    _histogram(above, [error for _, error in row.accepted], "find_bar")
    _histogram(below, [error for _, error in row.naively], "naive: the bar that looks right")
    below.set_xlabel(f"true error rate among accepted cases ({_EXAM.replace('`', '')}, {_LABELS:,} labels)")
    figure.supylabel("draws", fontsize="medium")
    figure.savefig(file, format="svg", metadata={"Date": None})


def _histogram(axes: Any, errors: Sequence[float], name: str) -> None:
    percent = [100 * error for error in errors]
    bins = [6 + step / 4 for step in range(29)]
    axes.hist(percent, bins=bins, color="#4477aa", edgecolor="white", linewidth=0.5)
    axes.axvline(100 * _MAX_ERROR, color="black", linestyle="--", linewidth=1)
    broken = sum(error > _MAX_ERROR for error in errors) / len(errors)
    said = f"{name}: broken in {broken:.0%} of draws"
    axes.set_title(said, loc="left", fontsize="medium")
    axes.xaxis.set_major_formatter("{x:.0f}%")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
