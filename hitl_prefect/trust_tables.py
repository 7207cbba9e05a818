"""The report on trust as tables of text, and as markdown in which no name can do anything."""

from collections.abc import Iterator

from hitl_prefect.estimates import ErrorRate
from hitl_prefect.inert import visible
from hitl_prefect.reviewer_tables import Table, markdown_table
from hitl_prefect.shares import FEW, Share, counted
from hitl_prefect.trust_figures import Bin, KeyRow, Point, TaskTrust, TrustReport, Week

__all__ = [
    "as_markdown",
    "bins_table",
    "curve_table",
    "headline",
    "keys_table",
    "override_table",
    "saved_table",
    "tables",
    "unreadable_table",
    "weeks_table",
]

_CURVE_ROWS = 10


def headline(task: TaskTrust) -> str:
    """A task in one sentence."""
    escaped = "nobody knows how much of what is accepted is wrong, since too little of it was audited"
    if task.escaped:
        escaped = f"about {_percent(task.escaped.value)} of what is accepted is wrong ({_between(task.escaped)})"
    share = f" ({100 * task.accepted.hits / task.accepted.of:.0f}%)" if task.accepted.of >= FEW else ""
    accepted = f"{task.accepted.hits:,} of them{share} accepted without a review"
    return f"{counted(task.outcomes, 'outcome')} from {task.first} to {task.last}: {accepted}; {escaped}"


def tables(task: TaskTrust) -> Iterator[Table]:
    """All tables of a task that have rows."""
    makers = (keys_table, curve_table, bins_table, weeks_table, override_table, saved_table)
    return (one for one in (make(task) for make in makers) if one.rows)


def as_markdown(report: TrustReport) -> str:
    """The report for an artifact: figures without pictures."""
    parts = ["# Trust", f"{counted(report.outcomes, 'outcome')}."]
    for task in report.tasks:
        parts += [f"## {task.task}", f"{headline(task)}."]
        parts += [markdown_table(one) for one in tables(task)]
    broken = unreadable_table(report)
    return "\n\n".join([*parts, *([markdown_table(broken)] if broken.rows else ())]) + "\n"


def keys_table(task: TaskTrust) -> Table:
    """Models, prompts and scorers, the newest first."""
    return Table(title="Models, prompts and scorers", rows=tuple(_key(one) for one in task.keys))


def curve_table(task: TaskTrust) -> Table:
    """Risk against coverage: a few of the bars, and the one in force."""
    every = max(1, len(task.curve) // _CURVE_ROWS)
    some = {one.bar: one for one in task.curve[every - 1 :: every]}
    if task.in_force:
        some[task.in_force.bar] = task.in_force
    points = sorted(some.values(), key=lambda one: -one.bar)
    in_force = task.in_force.bar if task.in_force else None
    return Table(title="Risk against coverage", rows=tuple(_point(one, in_force) for one in points))


def bins_table(task: TaskTrust) -> Table:
    """Confidence against what came of it."""
    return Table(title="Reliability", rows=tuple(_bin(one) for one in task.reliability))


def weeks_table(task: TaskTrust) -> Table:
    """Reviews and escaped errors by week."""
    return Table(title="Reviews and escaped errors by week", rows=tuple(_week(one) for one in task.weeks))


def override_table(task: TaskTrust) -> Table:
    """How often people did not let a first draft ship."""
    rows = ({"week of": f"{one.monday}", **_share("overridden", one.overridden)} for one in task.weeks)
    return Table(title="Overridden by reviewers", rows=tuple(rows))


def saved_table(task: TaskTrust) -> Table:
    """Reviews avoided, and what the model cost."""
    return Table(title="Reviews avoided and model cost", rows=tuple(_saved(one) for one in task.weeks))


def unreadable_table(report: TrustReport) -> Table:
    """Objects that are not what they should be."""
    rows = ({"object": visible(one.key), "problem": visible(one.problem)} for one in report.unreadable)
    return Table(title="Objects that could not be read", rows=tuple(rows))


def _key(row: KeyRow) -> dict[str, str]:
    return {
        "model": visible(row.model),
        "prompt": visible(row.prompt),
        "scorer": visible(row.scorer),
        "outcomes": f"{row.outcomes:,}",
        "labels": f"{row.labels:,}",
        "bar": _number(row.bar),
        "calibration error": _number(row.calibration_error),
        **_estimate("escaped error", row.escaped),
    }


def _point(row: Point, in_force: float | None) -> dict[str, str]:
    mark = " (in force)" if row.bar == in_force else ""
    return {"bar": f"{row.bar:.4g}{mark}", "coverage": _percent(row.coverage), **_estimate("risk", row.risk)}


def _bin(row: Bin) -> dict[str, str]:
    right = row.error.model_copy(
        update={"value": 1 - row.error.value, "low": 1 - row.error.high, "high": 1 - row.error.low}
    )
    where = f"{row.low:.1f} to {row.high:.1f}"
    return {"confidence": where, "mean confidence": _percent(row.confidence), **_estimate("right", right)}


def _week(row: Week) -> dict[str, str]:
    return {
        "week of": f"{row.monday}",
        "outcomes": f"{row.outcomes:,}",
        **_share("sent to a person", row.reviewed),
        **_estimate("escaped error", row.escaped),
    }


def _saved(row: Week) -> dict[str, str]:
    avoided = row.outcomes - row.reviewed.hits
    return {
        "week of": f"{row.monday}",
        "outcomes": f"{row.outcomes:,}",
        "reviews avoided": f"{avoided:,}",
        "model cost, USD": f"{row.cost_usd:,.2f}",
    }


def _estimate(name: str, found: ErrorRate | None) -> dict[str, str]:
    """An error rate in three cells, so that columns stay columns."""
    if found is None:
        return {name: "unknown", f"{name}, 95%": "-", f"{name}, labels": "0"}
    return {name: _percent(found.value), f"{name}, 95%": _between(found), f"{name}, labels": f"{found.labels:,}"}


def _share(name: str, found: Share) -> dict[str, str]:
    low, high = found.interval()
    return {name: found.told(), f"{name}, 95%": f"{_percent(low)} to {_percent(high)}" if found.of else "-"}


def _between(found: ErrorRate) -> str:
    return f"{_percent(found.low)} to {_percent(found.high)}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
