"""The report on trust as one HTML page: no script, no network, and everything that somebody else wrote is escaped."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from hitl_prefect.inert import visible
from hitl_prefect.reviewer_tables import Table
from hitl_prefect.shares import counted
from hitl_prefect.trust_figures import TaskTrust, TrustReport
from hitl_prefect.trust_pictures import (
    Draw,
    draw_overrides,
    draw_reliability,
    draw_risk,
    draw_saved,
    draw_weeks,
    svg_of,
)
from hitl_prefect.trust_tables import (
    bins_table,
    curve_table,
    headline,
    keys_table,
    override_table,
    saved_table,
    unreadable_table,
    weeks_table,
)

__all__ = ["as_html"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { border-top: 2px solid #222; padding-top: 1rem; margin-top: 3rem; }
figure { margin: 0; } svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #ccc; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
.said { font-size: 17px; } .why { color: #444; max-width: 42rem; }
@media print { body { margin: 0; max-width: none; } figure, tr { break-inside: avoid; } h3 { break-after: avoid; } }
"""


@dataclass(frozen=True)
class _Part:
    """A picture with its table."""

    draw: Draw
    table: Callable[[TaskTrust], Table]
    why: str
    """How to read it."""


_PARTS = (
    _Part(
        draw_risk,
        curve_table,
        "What each bar would do: the share of cases that it accepts, and how many of those are wrong. Each case that "
        "a person decided counts for all that it stands for: one audit at 5% for twenty.",
    ),
    _Part(
        draw_reliability,
        bins_table,
        "On the dashed line a confidence means what it says. Below it the machine is surer than it should be.",
    ),
    _Part(
        draw_weeks,
        weeks_table,
        "Escaped error is the error rate of what is accepted without a review, told from its audits. Where too "
        "little was audited, nobody knows.",
    ),
    _Part(
        draw_overrides,
        override_table,
        "How often people edited or rejected a first draft that they were asked about.",
    ),
    _Part(
        draw_saved,
        saved_table,
        "Each case that is accepted is a review avoided. Cases whose cost nobody knows are not in the model cost.",
    ),
)


def as_html(report: TrustReport) -> str:
    """The whole page.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    tasks = "\n".join(_task(one) for one in report.tasks)
    broken = unreadable_table(report)
    unread = f"<h2>{broken.title}</h2>\n{_table(broken)}\n" if broken.rows else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # Even what would slip through could load and run nothing.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Trust</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>How far the machines can be trusted</h1>\n"
        f"<p>{counted(report.outcomes, 'outcome')}.</p>\n{tasks}\n{unread}</body>\n</html>\n"
    )


def _task(task: TaskTrust) -> str:
    parts = "\n".join(_part(part, task) for part in _PARTS)
    keys = keys_table(task)
    unknown = f"; what {counted(task.cost_unknown, 'case')} cost nobody knows" if task.cost_unknown else ""
    return (
        f'<h2>Task {escape(task.task)}</h2>\n<p class="said">{escape(headline(task))}.</p>\n'
        f"<p>The model cost {task.cost_usd:,.2f} USD{unknown}.</p>\n<h3>{keys.title}</h3>\n"
        '<p class="why">Evidence holds for one model, prompt and scorer. The first two pictures are of the one that '
        f"most cases of the last seven days have: {_shown(task)}.</p>\n{_table(keys)}\n{parts}"
    )


def _part(part: _Part, task: TaskTrust) -> str:
    table = part.table(task)
    if not table.rows:
        return f'<h3>{table.title}</h3>\n<p class="why">Nothing to show yet: no person has decided about any case.</p>'
    alt = escape(f"{table.title} of task {task.task}: the figures are in the table below the picture")
    picture = svg_of(part.draw, task, name=f"{task.task}-{table.title}", alt=alt)
    return f'<h3>{table.title}</h3>\n<p class="why">{part.why}</p>\n<figure>{picture}</figure>\n{_table(table)}'


def _shown(task: TaskTrust) -> str:
    _, *names = task.shown
    return ", ".join(f"<code>{escape(visible(one))}</code>" for one in names)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.rows[0])
    rows = "".join(f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in row.values())}</tr>\n" for row in table.rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>'
