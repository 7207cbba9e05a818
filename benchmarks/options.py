"""What the benchmarks of recorded answers are asked with, and how they say that there is nothing to measure."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from hitl_prefect.errors import HitlError

__all__ = ["PAGE", "exit_code_of", "parser_of"]

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def parser_of(module: str, doc: str) -> argparse.ArgumentParser:
    """Where the recorded data is, and whether the figures go on a page.

    Args:
        module: As it is run: `benchmarks.scoring`.
        doc: Of the module; its first line says what is measured.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc.partition("\n")[0])
    known = os.environ.get("HITL_DATA")
    parser.add_argument("--data", type=Path, default=known, required=not known, help="the recorded data; or HITL_DATA")
    parser.add_argument("--write", type=Path, nargs="?", const=PAGE, metavar="PAGE", help="put the figures on a page")
    return parser


def exit_code_of(benchmark: Callable[[], int]) -> int:
    """Run a benchmark on recorded data; 1 where those cannot be used, and otherwise what it returns."""
    try:
        return benchmark()
    except (OSError, HitlError) as exc:
        print(f"the recorded data cannot be used: {exc}", file=sys.stderr)
        return 1
