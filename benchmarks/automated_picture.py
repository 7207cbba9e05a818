"""The picture of what automating costs: how right the whole is, from nothing accepted to all of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.automated_figures import SHARES, People, accepted_of
from benchmarks.figures import Scored
from hitl_prefect.errors import MissingExtra

__all__ = ["draw_picture"]

_LINES = ({"linestyle": ":", "color": "#cc3311"}, {"linestyle": "--", "color": "#117733"}, {"color": "#4477aa"})


def draw_picture(scores: Sequence[Scored], people: People, file: Path) -> None:
    """A panel per model with a line per score, and people alone: their average.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingExtra("the picture needs matplotlib: pip install matplotlib") from exc
    # One salt and no date: the same figures give the same bytes. Text stays text, so that it can be searched.
    mpl.rcParams.update({"svg.hashsalt": "hitl_prefect", "svg.fonttype": "none", "font.family": "sans-serif"})
    models = list(dict.fromkeys(_model(score) for score in scores))
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, model in zip(figure.subplots(1, len(models), sharey=True), models, strict=True):
        _panel(axes, [score for score in scores if _model(score) == model], people)
        axes.set_title(model, loc="left", fontsize="medium")
        lines, names = axes.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    figure.supxlabel("accepted without review", fontsize="medium")
    figure.supylabel("right, of all claims", fontsize="medium")
    figure.savefig(file, format="svg", metadata={"Date": None})


def _model(score: Scored) -> str:
    return score.name.partition(",")[0].strip("`")


def _panel(axes: Any, scores: Sequence[Scored], people: People) -> None:
    by_people = people.each_and_mean[-1]
    shares = np.linspace(0, 1, len(by_people) + 1)
    axes.axhline(100 * by_people.mean(), color="black", linewidth=1, label="people alone")
    for score, line in zip(scores, _LINES, strict=True):
        right = [_whole(score, by_people, share) for share in shares]
        axes.plot(100 * shares, right, label=score.name.partition(", ")[2], linewidth=1.5, **line)
    for share in SHARES:
        axes.axvline(100 * share, color="#dddddd", linewidth=0.8, zorder=0)
    for of in (axes.xaxis, axes.yaxis):
        of.set_major_formatter("{x:.0f}%")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _whole(score: Scored, by_people: Any, share: float) -> float:
    accepted = accepted_of(np.array(score.confidence), share)
    return float(100 * (accepted * np.array(score.right) + (1 - accepted) * by_people).mean())
