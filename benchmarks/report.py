"""The figures as Markdown tables, and the page that keeps them."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import prefect

from benchmarks.exams import BAR
from benchmarks.tally import Tally
from hitl_prefect.errors import ConfigError
from hitl_prefect.shares import Share

__all__ = ["report", "write_page"]


def report(tallies: Sequence[Tally], *, store: str, command: str) -> str:
    """All that was measured, in Markdown: where, when, and one column of figures per model."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, Prefect {prefect.__version__}"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head = f"Measured on {day} with `{command}`: {machine}, outcomes in: {store}. Bar: {BAR}. Intervals: Wilson, 95%."
    return f"{head}\n\n{_table(tallies)}\n"


def _table(tallies: Sequence[Tally]) -> str:
    columns = [_figures(tally) for tally in tallies]
    lines = [["", *(f"`{tally.model}`" for tally in tallies)], ["---"] * (len(tallies) + 1)]
    lines += [[name, *(column[name] for column in columns)] for name in columns[0]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _figures(tally: Tally) -> dict[str, str]:
    return {
        "cases": str(tally.cases),
        "right: model alone": _with_interval(tally.machine),
        "right: reviewer alone": _with_interval(tally.reviewer) if tally.reviewer else "is the label itself",
        "right: model, and reviewer where unsure": _with_interval(tally.together),
        "reviewed by the person": _percent(tally.reviewed),
        "accepted unseen, and wrong": str(tally.accepted_wrong),
        "no label fits, and accepted": str(tally.misfits_accepted) if tally.misfits_accepted.of else "-",
        "invalid replies": str(tally.invalid),
        "outcomes in the store": str(tally.outcomes),
        "calls to the model": "in process" if tally.calls is None else str(tally.calls),
        "seconds": f"{tally.seconds:.0f}",
    }


def _percent(share: Share) -> str:
    return f"{share}, {share.hits / share.of:.1%}" if share.of else str(share)


def _with_interval(share: Share) -> str:
    low, high = share.interval()
    return f"{_percent(share)} ({low:.1%} to {high:.1%})"


def write_page(page: Path, measured: str, *, name: str = "benchmarks.real_cases") -> None:
    """Put what was measured between the page's two markers of that name.

    Raises:
        ConfigError: If the page has no such markers.
    """
    text = page.read_text("utf-8")
    begins, ends = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    before, begin, rest = text.partition(begins)
    _, end, after = rest.partition(ends)
    if not begin or not end:
        raise ConfigError(f"{page} has no place for the figures: put {begins} and {ends} on lines of their own")
    page.write_text(f"{before}{begins}\n\n{measured}\n{ends}{after}", "utf-8")
