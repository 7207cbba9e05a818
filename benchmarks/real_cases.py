"""Recorded answers of real models and labels of real people, through the whole plugin.

    python -m benchmarks.real_cases --data FOLDER [--cases N] [--messages N] [--models MODEL ...] [--write [PAGE]]

FOLDER, or the environment variable HITL_DATA, holds `hitl_deductive_coding/` and `banking77/`; docs/benchmarks.md says
where they come from.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from benchmarks.banking import MODEL as EMBEDDED
from benchmarks.banking import banking_exam
from benchmarks.deductive_coding import MODELS, coding_exam
from benchmarks.exams import Exam
from benchmarks.options import parser_of
from benchmarks.report import report, write_page
from benchmarks.running import run_exam
from benchmarks.site import Site, benchmark_site
from benchmarks.tally import Tally, problems_of
from hitl_prefect.errors import HitlError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 done, 1 failed, 2 wrong usage."""
    options = _options(arguments)
    try:
        exams = [_exam(options, model) for model in options.models]
    except (OSError, HitlError) as exc:
        print(f"the recorded data cannot be used: {exc}", file=sys.stderr)
        return 2
    try:
        return _run(exams, options)
    except HitlError as exc:
        print(exc, file=sys.stderr)
        return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("benchmarks.real_cases", __doc__)
    parser.add_argument("--cases", type=int, default=40, help="claims per hosted model (default: 40)")
    parser.add_argument("--messages", type=int, default=60, help="messages for embedded:support (default: 60)")
    everyone = (*MODELS, EMBEDDED)
    parser.add_argument("--models", nargs="+", choices=everyone, default=everyone, metavar="MODEL", help="some of them")
    return parser.parse_args(arguments)


def _exam(options: argparse.Namespace, model: str) -> Exam:
    if model == EMBEDDED:
        return banking_exam(options.data, options.messages)
    return coding_exam(options.data, model, options.cases)


def _run(exams: list[Exam], options: argparse.Namespace) -> int:
    with benchmark_site(exams) as site:
        tallies = asyncio.run(_tallies(site, exams))
        measured = report(tallies, store=site.kind_of_store, command=_command(options))
    print(measured)
    if problems := [problem for tally in tallies for problem in problems_of(tally)]:
        print("\n".join(problems), file=sys.stderr)
        return 1
    if options.write:
        write_page(options.write, measured)
    return 0


async def _tallies(site: Site, exams: list[Exam]) -> list[Tally]:
    tallies = []
    for exam in exams:
        print(f"{exam.model}: {len(exam.trials)} cases ...", file=sys.stderr)
        tallies.append(Tally.of(await run_exam(site, exam)))
    return tallies


def _command(options: argparse.Namespace) -> str:
    """The command that does it again; where the data lie is the reader's own affair."""
    models = "" if len(options.models) == len(MODELS) + 1 else f" --models {' '.join(options.models)}"
    counts = f"--cases {options.cases} --messages {options.messages}"
    return f"python -m benchmarks.real_cases --data FOLDER {counts}{models}"


if __name__ == "__main__":
    # SIGTERM alone would end this process and leave the servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise SystemExit(main())
