"""How good are the scores? Recorded answers of real models, through the shipped scorers.

    python -m benchmarks.scoring --data FOLDER [--draws N] [--repeats N] [--write [PAGE]]

FOLDER, or the environment variable HITL_DATA, holds `plaut_mcqa_msp/` and `hitl_deductive_coding/`; docs/benchmarks.md
says where they come from. What is not there is skipped, and told. Nothing is asked of any model.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from benchmarks.claim_figures import claim_figures
from benchmarks.figures import figures_table
from benchmarks.options import exit_code_of, parser_of
from benchmarks.report import write_page
from benchmarks.token_probabilities import read_exams

__all__ = ["main"]


def _exam_figures(options: argparse.Namespace) -> str:
    table = figures_table(read_exams(options.data), what="Model, exam", draws=options.draws)
    return f"**Token probability of the answer** (`plaut_mcqa_msp`)\n\n{table}"


def _claim_figures(options: argparse.Namespace) -> str:
    return claim_figures(options.data, draws=options.draws, repeats=options.repeats)


_SETS: dict[str, Callable[[argparse.Namespace], str]] = {
    "plaut_mcqa_msp": _exam_figures,
    "hitl_deductive_coding": _claim_figures,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 done, 1 failed, 2 wrong usage."""
    options = _options(arguments)
    there = [name for name in _SETS if (options.data / name).is_dir()]
    if not there:
        print(f"the folder holds neither of {', '.join(_SETS)}: nothing to measure", file=sys.stderr)
        return 2
    return exit_code_of(lambda: _run(options, there))


def _run(options: argparse.Namespace, there: Sequence[str]) -> int:
    measured = _measured(options, there)
    if options.write:
        write_page(options.write, measured, name="benchmarks.scoring")
    print(measured)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("benchmarks.scoring", __doc__)
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws per interval (default: 1000)")
    parser.add_argument("--repeats", type=int, default=10, help="repetitions of the cross-validation (default: 10)")
    return parser.parse_args(arguments)


def _measured(options: argparse.Namespace, there: Sequence[str]) -> str:
    started = time.monotonic()
    parts = [_part(options, name, name in there) for name in _SETS]
    seconds = time.monotonic() - started
    command = f"python -m benchmarks.scoring --data FOLDER --draws {options.draws} --repeats {options.repeats}"
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head = f"Measured on {day} with `{command}` in {seconds:.0f} s: {machine}. Intervals: bootstrap, 95%."
    return "\n\n".join([head, *parts]) + "\n"


def _part(options: argparse.Namespace, name: str, there: bool) -> str:
    if not there:
        said = f"`{name}` is not in the folder, and was skipped."
        print(said, file=sys.stderr)
        return said
    print(f"{name} ...", file=sys.stderr)
    return _SETS[name](options)


if __name__ == "__main__":
    raise SystemExit(main())
