"""The table that a benchmark of many cases and reviews ends with: what was measured, against what, and the goal."""

import os
import platform
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Container, Sequence

import prefect

from hitl_prefect.frozen import Frozen

__all__ = ["Measured", "finished", "goals_table", "part_of", "say"]


class Measured(Frozen):
    """One line of the table."""

    what: str
    """With its unit."""
    plugin: float
    plain: float | None = None
    """The same done as Prefect's documentation shows it; `None` where there is no such thing."""
    goal: str = ""
    met: bool | None = None
    """`None` where nothing was promised."""

    def row(self) -> str:
        """One line of Markdown; the ratio is that of the larger to the smaller."""
        low, high = sorted((self.plugin, self.plain or 0))
        ratio = f"{high / low:.1f}" if low > 0 else ""
        plain = "" if self.plain is None else f"{self.plain:.2f}"
        met = {None: "", True: "yes", False: "NO"}[self.met]
        return f"| {self.what} | {plain} | {self.plugin:.2f} | {ratio} | {self.goal} | {met} |"


def goals_table(rows: Sequence[Measured]) -> str:
    """Markdown, with the machine above it."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, Prefect {prefect.__version__}"
    load = f"load {os.getloadavg()[0]:.1f} at the end"
    head = "| | plain Prefect | hitl_prefect | ratio | goal | met |\n" + "| --- " * 6 + "|"
    return "\n".join([f"{machine}, {load}\n", head, *(row.row() for row in rows)])


def finished(rows: Sequence[Measured]) -> int:
    """Print the table; returns the exit code, 1 where a goal was missed."""
    print(goals_table(rows))
    return int(any(row.met is False for row in rows))


def part_of(parts: Container[str]) -> Callable[[str], str]:
    """Reads the name of a part of a benchmark; `choices` of argparse cannot be left out altogether."""

    def named(name: str) -> str:
        if name not in parts:
            raise ArgumentTypeError(f"there is no part {name!r}")
        return name

    return named


def say(text: str) -> None:
    """Progress, on stderr: stdout holds the table alone."""
    print(text, file=sys.stderr, flush=True)
