"""Does a risk budget keep its promise? Recorded answers of real models, through the shipped arithmetic.

    python -m benchmarks.risk_budget --data FOLDER [--draws N] [--runs N] [--write [PAGE]] [--picture FILE]

FOLDER, or the environment variable HITL_DATA, holds `plaut_mcqa_msp/`; docs/benchmarks.md says where it comes from.
Nothing is asked of any model. It fails where a bar breaks the promise more often than promised.
"""

import argparse
import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.budget_picture import draw_picture
from benchmarks.budgets import CONFIDENCE_LEVEL, Kept, budgets_table, kept_budgets
from benchmarks.drifts import drifts_table, met_drifts
from benchmarks.error_rates import held_rates, held_table
from benchmarks.figures import Scored
from benchmarks.options import exit_code_of, parser_of
from benchmarks.report import write_page
from benchmarks.token_probabilities import read_exams

__all__ = ["main"]

_PICTURE = Path(__file__).parents[1] / "docs" / "images" / "risk-budget.svg"
_BY_CHANCE = 0.02
"""How much more often than promised a bar may break the promise in so few draws."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 done, 1 failed or a promise broken too often, 2 wrong usage."""
    options = _options(arguments)
    return exit_code_of(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    exams = read_exams(options.data)
    kept = kept_budgets(exams, draws=options.draws)
    measured = _measured(options, kept, exams, started)
    if options.write:
        write_page(options.write, measured, name="benchmarks.risk_budget")
    if options.picture:
        draw_picture(kept, options.picture)
    print(measured)
    return int(bool(_broken(kept)))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("benchmarks.risk_budget", __doc__)
    parser.add_argument(
        "--draws", type=int, default=300, help="draws of labels per row, and simulations (default: 300)"
    )
    parser.add_argument("--runs", type=int, default=50, help="runs from one exam to another (default: 50)")
    parser.add_argument("--picture", type=Path, nargs="?", const=_PICTURE, metavar="FILE", help="draw it, as SVG")
    return parser.parse_args(arguments)


def _measured(options: argparse.Namespace, kept: Sequence[Kept], exams: Sequence[Scored], started: float) -> str:
    bars = budgets_table(kept)
    drifts = drifts_table(met_drifts(exams, runs=options.runs))
    rates = held_table(held_rates([one for one in exams if "mmlu" in one.name], simulations=options.draws))
    command = f"python -m benchmarks.risk_budget --data FOLDER --draws {options.draws} --runs {options.runs}"
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head = f"Measured on {day} with `{command}` in {time.monotonic() - started:.0f} s: {machine}."
    parts = [
        f"**The promise**: {_verdict(kept)}",
        bars,
        "**Another exam than the one the bar comes from**",
        drifts,
        "**Error rates told from 5% audits**",
        rates,
    ]
    return "\n\n".join([head, *parts]) + "\n"


def _verdict(kept: Sequence[Kept]) -> str:
    broken = _broken(kept)
    promised = f"at most {1 - CONFIDENCE_LEVEL + _BY_CHANCE:.0%} of the draws"
    if not broken:
        splits = f"In splits {max(one.broken_in_splits for one in kept):.1%} at most."
        most = f"{max(one.broken for one in kept):.1%} at most"
        return f"broken in {promised} in each of the {len(kept)} rows, {most}. {splits}"
    rows = ", ".join(f"{one.exam} at {one.max_error:.0%} and {one.labels} labels" for one in broken)
    return f"NOT KEPT, broken in more than {promised}: {rows}."


def _broken(kept: Sequence[Kept]) -> list[Kept]:
    return [one for one in kept if one.broken > 1 - CONFIDENCE_LEVEL + _BY_CHANCE]


if __name__ == "__main__":
    raise SystemExit(main())
