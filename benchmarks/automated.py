"""What does it cost to automate? Recorded answers of models and of people to the same claims, end to end.

    python -m benchmarks.automated --data FOLDER [--draws N] [--write [PAGE]] [--picture [FILE]]

FOLDER, or the environment variable HITL_DATA, holds `hitl_deductive_coding/`; docs/benchmarks.md says where it comes
from. Nothing is asked of any model or person. What is accepted is the model's answer; the others are an annotator's.
"""

import argparse
import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.automated_figures import People, automated_table
from benchmarks.automated_picture import draw_picture
from benchmarks.claims import MODELS, Recordings, mean_policy, read_recordings, scored_claims
from benchmarks.deductive_coding import read_annotations
from benchmarks.figures import Scored
from benchmarks.options import exit_code_of, parser_of
from benchmarks.report import write_page
from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import was_right
from hitl_prefect.policy import Policy

__all__ = ["main", "read_people", "score_claims"]

_PICTURE = Path(__file__).parents[1] / "docs" / "images" / "automated.svg"

_MEAN = mean_policy()
_POLICIES = {
    "stated": Policy(scorers=("stated",)),
    "mean of stated, others": _MEAN.model_copy(update={"scorers": _MEAN.scorers[:2]}),
    "mean of stated, others, variants": _MEAN,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 done, 1 failed, 2 wrong usage."""
    options = _options(arguments)
    return exit_code_of(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    recordings = read_recordings(options.data)
    people = read_people(options.data, recordings)
    scores = score_claims(recordings)
    measured = _measured(options, automated_table(scores, people, draws=options.draws), started)
    if options.write:
        write_page(options.write, measured, name="benchmarks.automated")
    if options.picture:
        draw_picture(scores, people, options.picture)
    print(measured)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("benchmarks.automated", __doc__)
    parser.add_argument("--draws", type=int, default=2000, help="bootstrap draws per interval (default: 2000)")
    parser.add_argument("--picture", type=Path, nargs="?", const=_PICTURE, metavar="FILE", help="draw it, as SVG")
    return parser.parse_args(arguments)


def read_people(data: Path, recordings: Recordings) -> People:
    """Which claims each of the two annotators got right, in the order of the gold file.

    Raises:
        ConfigError: If one of them left a claim out.
        OSError: If a sheet is missing.
    """
    return People(np.array([_right_by(data, recordings, 1), _right_by(data, recordings, 2)]))


def _right_by(data: Path, recordings: Recordings, annotator: Literal[1, 2]) -> list[bool]:
    chosen = {claim: code for (claim, _), code in read_annotations(data, annotator).items()}
    missing = sorted(recordings.gold.keys() - chosen.keys())
    if missing:
        raise ConfigError(
            f"annotator {annotator} left {len(missing)} claims out, first {missing[0]!r}: fetch the sheet anew"
        )
    return [chosen[claim] == code for claim, (code, _) in recordings.gold.items()]


def score_claims(recordings: Recordings) -> list[Scored]:
    """The answers of each model to prompt L1, run 1, by each of the scores; in the order of the gold file."""
    return [_scored(recordings, model, name) for model in MODELS for name in _POLICIES]


def _scored(recordings: Recordings, model: str, name: str) -> Scored:
    outcomes = scored_claims(recordings, model, "L1", _POLICIES[name])
    return Scored(
        name=f"`{model}`, {name}",
        # Without a confidence a case goes to a person, as if it were 0.
        confidence=tuple(one.score.confidence or 0.0 for one in outcomes),
        right=tuple(bool(was_right(one)) for one in outcomes),
    )


def _measured(options: argparse.Namespace, table: str, started: float) -> str:
    seconds = time.monotonic() - started
    command = f"python -m benchmarks.automated --data FOLDER --draws {options.draws}"
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head = f"Measured on {day} with `{command}` in {seconds:.0f} s: {machine}. Intervals: bootstrap over claims, 95%."
    return f"{head}\n\n{table}\n"


if __name__ == "__main__":
    raise SystemExit(main())
