"""The report on reviewers as tables of text, and as markdown in which no name can do anything.

A share of few cases is shown as two numbers, and what needs many cases is left out until there are that many.
"""

from collections.abc import Callable, Iterator

from hitl_prefect.agreement import Agreement
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import code_span, visible
from hitl_prefect.reviewer_figures import Median, ReviewerReport, ReviewerRow
from hitl_prefect.shares import FEW, Share, counted

__all__ = ["Table", "as_markdown", "headline", "markdown_table", "tables"]

_FIELDS_SHOWN = 10
_SOMEBODY_ELSES = ("reviewer", "field", "object", "problem", "model", "prompt", "scorer")
"""Columns whose words come from people, answer types, models and stores."""


class Table(Frozen):
    """Rows under one title."""

    title: str
    rows: tuple[dict[str, str], ...]


def headline(report: ReviewerReport) -> str:
    """What was read, in one line.

    >>> headline(ReviewerReport(outcomes=3, by_model=2, by_people=1, by_deadline=0))
    '3 outcomes: 2 by the model alone, 1 by people, 0 by the deadline'
    """
    over_budget = f", {report.by_policy:,} over the policy's budget" if report.by_policy else ""
    said = (
        f"{counted(report.outcomes, 'outcome')}: {report.by_model:,} by the model alone, "
        f"{report.by_people:,} by people, {report.by_deadline:,} by the deadline{over_budget}"
    )
    broken = counted(len(report.unreadable), "object")
    return f"{said}; {broken} could not be read" if report.unreadable else said


def tables(report: ReviewerReport) -> Iterator[Table]:
    """The tables that have rows; names are written so that they can do nothing to a terminal."""
    probed = [row for row in report.reviewers if row.caught.of or row.unproven or row.blind.of]
    made = (
        Table(title="Reviewers", rows=tuple(_work(row) for row in report.reviewers)),
        Table(title="Probes", rows=tuple(_probes(row) for row in probed)),
        Table(title="Agreement of people who did not know of each other", rows=tuple(_agreement(report))),
        Table(
            title="Objects that could not be read",
            rows=tuple({"object": visible(one.key), "problem": visible(one.problem)} for one in report.unreadable),
        ),
    )
    return (one for one in made if one.rows)


def as_markdown(report: ReviewerReport) -> str:
    """The report for an artifact."""
    parts = [markdown_table(one) for one in tables(report)] or ["Nobody has reviewed anything yet."]
    return "\n\n".join(["# Reviewers", f"{headline(report)}.", *parts]) + "\n"


def markdown_table(one: Table) -> str:
    """A table under its title, in which no word of somebody else can do anything."""
    names = list(one.rows[0])
    lines = [names, ["---"] * len(names), *([_cell(name, row[name]) for name in names] for row in one.rows)]
    return "\n".join([f"## {one.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


def _work(row: ReviewerRow) -> dict[str, str]:
    return {
        "reviewer": _name(row),
        "task": row.task,
        "verdicts": f"{row.verdicts:,}",
        "overridden": _of(row.overridden),
        "agreed": _of(row.agreed),
        "kappa": _figure(row.kappa),
        "median time": _times(row),
        "too fast": _of(row.too_fast),
        "in bulk": _of(row.bulk),
    }


def _probes(row: ReviewerRow) -> dict[str, str]:
    low, high = row.caught_between
    return {
        "reviewer": _name(row),
        "task": row.task,
        "mistakes caught": _of(row.caught),
        "95% interval": f"{low:.2f} to {high:.2f}" if row.caught.of else "-",
        "unproven": f"{row.unproven}",
        "differed blind": _of(row.blind),
        "overrode in view": _of(row.in_view),
        "anchoring": _anchoring(row),
    }


def _agreement(report: ReviewerReport) -> Iterator[dict[str, str]]:
    for row in report.tasks:
        figures = [("(whole answer)", row.same, row.alpha)]
        figures += [(visible(one.field), one.same, one.alpha) for one in row.fields[:_FIELDS_SHOWN]]
        for name, same, alpha in figures:
            cases = f"{alpha.units:,}"
            yield {"task": row.task, "field": name, "cases": cases, "same": _of(same), "alpha": _figure(alpha)}


def _name(row: ReviewerRow) -> str:
    return visible(row.reviewer) or "(no name)"


def _of(share: Share) -> str:
    return share.told() if share.of else "-"


def _figure(found: Agreement) -> str:
    return "-" if found.value is None or found.units < FEW else f"{found.value:.2f}"


def _anchoring(row: ReviewerRow) -> str:
    if row.anchoring is None or min(row.blind.of, row.in_view.of) < FEW:
        return "-"
    return f"{row.anchoring.value:+.2f} ({row.anchoring.low:+.2f} to {row.anchoring.high:+.2f})"


def _times(row: ReviewerRow) -> str:
    told = [_time(row.seen, ""), _time(row.since_opened, " since opened")]
    return "; ".join(one for one in told if one) or "-"


def _time(found: Median, since: str) -> str:
    return "" if found.seconds is None else f"{_lasting(found.seconds)}{since} ({found.of})"


def _lasting(seconds: float) -> str:
    """Two digits or so of the largest unit.

    >>> _lasting(5.25), _lasting(75), _lasting(5400), _lasting(200_000)
    ('5.2 s', '75 s', '90 min', '56 h')
    """
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _cell(name: str, value: str) -> str:
    show: Callable[[str], str] = code_span if name in _SOMEBODY_ELSES else str
    return show(value)
