"""The report's pictures as SVG: told apart by line style, marker and label, so that they read without colour.

Needs the extra `learn`. No word of a model or a person is in any of them.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, Self

from hitl_prefect.errors import MissingExtra
from hitl_prefect.estimates import ErrorRate
from hitl_prefect.shares import Share
from hitl_prefect.trust_figures import TaskTrust

__all__ = ["Draw", "draw_overrides", "draw_reliability", "draw_risk", "draw_saved", "draw_weeks", "svg_of"]

Draw = Callable[[Any, TaskTrust], None]
"""Draws one picture of a task on a matplotlib figure."""

_STYLE = {
    # Text stays text: it can be read aloud, searched and selected.
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "lines.linewidth": 1.6,
}
_DARK, _BLUE, _ORANGE = "#222222", "#0b5394", "#b45f06"
_INCHES = (6.4, 3.4)


def svg_of(draw: Draw, task: TaskTrust, *, name: str, alt: str) -> str:
    """One picture as an `<svg>` element that stands by itself: no script, no font, no address.

    Args:
        draw: One of this module's pictures.
        task: Whose figures.
        name: Makes the ids in it differ from those of other pictures on the page.
        alt: What it shows, in words; must be escaped for HTML.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    matplotlib, figure_class = _matplotlib()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = figure_class(figsize=_INCHES, layout="constrained")
        draw(figure, task)
        sink = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(sink, format="svg", metadata=nothing)
    drawn = sink.getvalue()
    # Groups are named alike in every picture, and nothing refers to them.
    inner = re.sub(r'<g id="[^"]*"', "<g", drawn[drawn.index("<svg") :])
    return inner.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)


def draw_risk(figure: Any, task: TaskTrust) -> None:
    """The error rate among accepted cases over the share accepted; the bar in force is a marked point."""
    axes = _axes(figure, "share of cases accepted", "error rate among them")
    points = [(one.coverage, one.risk) for one in task.curve if one.risk]
    coverage, risks = [at for at, _ in points], [risk for _, risk in points]
    _band(axes, coverage, risks)
    axes.plot(coverage, [one.value for one in risks], "-", color=_BLUE, label="error rate, by bar")
    if task.in_force and task.in_force.risk:
        at, found = task.in_force.coverage, task.in_force.risk
        axes.errorbar([at], [found.value], yerr=_spread([found]), fmt="D", color=_DARK, capsize=4, label="bar in force")
        text = f"bar {task.in_force.bar:.3g}: {found.value:.1%}"
        axes.annotate(text, (at, found.high), xytext=(-4, 6), textcoords="offset points", ha="right")
    axes.set_xlim(0, 1.02)
    _finish(axes)


def draw_reliability(figure: Any, task: TaskTrust) -> None:
    """The share of right drafts over their confidence; on the diagonal a confidence means what it says."""
    axes = _axes(figure, "confidence", "share that was right")
    axes.plot([0, 1], [0, 1], "--", color=_DARK, label="calibrated")
    at = [one.confidence for one in task.reliability]
    right = [_other(one.error) for one in task.reliability]
    values = [one.value for one in right]
    axes.errorbar(at, values, yerr=_spread(right), fmt="o-", color=_BLUE, capsize=3, label="right, with 95% interval")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.04)
    _finish(axes)


def draw_weeks(figure: Any, task: TaskTrust) -> None:
    """The share sent to a person and the error rate of what is accepted, week by week."""
    axes = _axes(figure, "week of", "share")
    sent = {one.monday: _Rate.of(one.reviewed) for one in task.weeks}
    escaped = {one.monday: one.escaped for one in task.weeks if one.escaped}
    _rates(axes, sent, fmt="s-", color=_BLUE, label="sent to a person")
    _rates(axes, escaped, fmt="o--", color=_ORANGE, label="escaped error")
    _by_week(axes, task, top=1.0)


def draw_overrides(figure: Any, task: TaskTrust) -> None:
    """How often people did not let a first draft ship, week by week."""
    axes = _axes(figure, "week of", "drafts overridden")
    overridden = {one.monday: _Rate.of(one.overridden) for one in task.weeks if one.overridden.of}
    _rates(axes, overridden, fmt="^-", color=_BLUE, label="overridden, with 95% interval")
    _by_week(axes, task, top=1.0)


def draw_saved(figure: Any, task: TaskTrust) -> None:
    """Cases per week: those that a person was asked about, and those that needed none."""
    axes = _axes(figure, "week of", "cases")
    weeks = [one.monday for one in task.weeks]
    asked = [one.reviewed.hits for one in task.weeks]
    avoided = [one.outcomes - one.reviewed.hits for one in task.weeks]
    axes.bar(weeks, asked, width=5, color="white", edgecolor=_DARK, hatch="////", label="sent to a person")
    axes.bar(weeks, avoided, width=5, bottom=asked, color="#9fc5e8", edgecolor=_DARK, label="reviews avoided")
    _by_week(axes, task)


def _axes(figure: Any, across: str, up: str) -> Any:
    axes = figure.add_subplot()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return axes


class _Rate(NamedTuple):
    """A share with its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, share: Share) -> Self:
        return cls(share.value or 0.0, *share.interval())


def _rates(axes: Any, found: Mapping[date, ErrorRate | _Rate], **look: str) -> None:
    rates = list(found.values())
    axes.errorbar(list(found), [one.value for one in rates], yerr=_spread(rates), capsize=3, **look)


def _band(axes: Any, at: Sequence[float], found: Sequence[ErrorRate]) -> None:
    low, high = [one.low for one in found], [one.high for one in found]
    axes.fill_between(at, low, high, color=_BLUE, alpha=0.15, linewidth=0, label="95% interval")


def _by_week(axes: Any, task: TaskTrust, *, top: float | None = None) -> None:
    """At most eight dates below, so that none covers its neighbour."""
    weeks = [one.monday for one in task.weeks]
    shown = weeks[:: -(-len(weeks) // 8)]
    axes.set_xticks(shown, [f"{one:%d %b %y}" for one in shown])
    axes.set_ylim(0, None if top is None else min(top, axes.get_ylim()[1]))
    _finish(axes)


def _finish(axes: Any) -> None:
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        # Beside the figures, where no line can run through it.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3, frameon=False)


def _spread(found: Sequence[ErrorRate | _Rate]) -> list[list[float]]:
    return [[max(0.0, one.value - one.low) for one in found], [max(0.0, one.high - one.value) for one in found]]


def _other(one: ErrorRate) -> _Rate:
    """The share of right cases, from that of wrong ones."""
    return _Rate(1 - one.value, 1 - one.high, 1 - one.low)


def _matplotlib() -> tuple[Any, Any]:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingExtra("pictures need matplotlib: pip install 'hitl_prefect[learn]'") from exc
    return mpl, Figure
