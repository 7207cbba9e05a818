"""How many labels does asking where they are worth most save? Messages to a bank with one of 77 intents.

    python -m benchmarks.labels --data FOLDER [--seeds N] [--labels N] [--strategies NAME ...] [--write [PAGE]]

FOLDER, or the environment variable HITL_DATA, holds `banking77/` with `train.csv` and `test.csv`; docs/benchmarks.md
says where they come from. Each round labels 100 messages of the training file with their true intent, fits a logistic
regression on what is labelled so far, and measures it on the whole test file. `margin_unlike` is `margin` with
`features`, so that the messages of a round are unlike each other. Nothing is asked of any model.
"""

import argparse
import csv
import os
import platform
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from threadpoolctl import threadpool_limits

from benchmarks.label_figures import Curve, draw_curves, labels_table
from benchmarks.options import exit_code_of, parser_of
from benchmarks.report import write_page
from hitl_prefect.errors import ConfigError
from hitl_prefect.learning import Strategy, select_for_labels

__all__ = ["main"]

_PICTURE = Path(__file__).parents[1] / "docs" / "images" / "labels.png"
_BATCH = 100
_DIMENSIONS = 256

_UNLIKE = "margin_unlike"
_STRATEGIES = ("random", _UNLIKE, *(one for one in get_args(Strategy) if one != "random"))

Floats = NDArray[np.float64]
Names = NDArray[np.str_]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 done, 1 failed, 2 wrong usage."""
    options = _options(arguments)
    if not (options.data / "banking77").is_dir():
        print("the folder holds no banking77: nothing to measure", file=sys.stderr)
        return 2
    return exit_code_of(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    with threadpool_limits(1), warnings.catch_warnings():
        # In the first rounds there are nearly as many intents as messages.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        measured = _measured(options)
    if options.write:
        write_page(options.write, measured, name="benchmarks.labels")
    print(measured)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("benchmarks.labels", __doc__)
    parser.add_argument("--seeds", type=int, default=5, help="random beginnings (default: 5)")
    parser.add_argument("--labels", type=int, default=1500, help="labels at the end (default: 1500)")
    parser.add_argument("--strategies", nargs="+", choices=_STRATEGIES, default=_STRATEGIES)
    parser.add_argument("--picture", type=Path, help="draw the learning curves; with --write beside the page")
    return parser.parse_args(arguments)


def _measured(options: argparse.Namespace) -> str:
    started = time.monotonic()
    texts, intents = _read(options.data / "banking77" / "train.csv")
    asked, truth = _read(options.data / "banking77" / "test.csv")
    pool, test = _features(texts, asked)
    strategies = dict.fromkeys(["random", *options.strategies])
    curves = [
        _curve(one, seed, labels=options.labels, pool=(pool, intents), test=(test, truth))
        for one in strategies
        for seed in range(options.seeds)
    ]
    picture = options.picture or (_PICTURE if options.write else None)
    if picture:
        draw_curves(curves, picture)
    command = f"python -m benchmarks.labels --data FOLDER --seeds {options.seeds} --labels {options.labels}"
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    seconds = time.monotonic() - started
    head = (
        f"Measured on {day} with `{command}` in {seconds:.0f} s: {machine}; {len(texts):,} messages to label, "
        f"{len(asked):,} to test on. Intervals: Student's t over the {options.seeds} beginnings, 95%."
    )
    return f"{head}\n\n{labels_table(curves)}\n"


def _read(path: Path) -> tuple[list[str], Names]:
    try:
        with path.open(encoding="utf-8", newline="") as table:
            rows = [(row["text"].strip(), row["category"]) for row in csv.DictReader(table)]
    except KeyError as exc:
        raise ConfigError(f"{path} has no column {exc}") from None
    return [text for text, _ in rows], np.array([intent for _, intent in rows])


def _features(texts: Sequence[str], asked: Sequence[str]) -> tuple[Floats, Floats]:
    """Learnt on the texts alone, which costs no label."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    counted = words.fit_transform(texts)
    few = min(_DIMENSIONS, counted.shape[1] - 1)
    learnt = make_pipeline(TruncatedSVD(few, random_state=0), Normalizer())
    return learnt.fit_transform(counted), learnt.transform(words.transform(asked))


def _curve(strategy: str, seed: int, *, labels: int, pool: tuple[Floats, Names], test: tuple[Floats, Names]) -> Curve:
    """The same first batch for each strategy of a seed."""
    features, intents = pool
    chosen = [int(place) for place in np.random.default_rng(seed).permutation(len(features))[:_BATCH]]
    points: list[tuple[int, float]] = []
    while True:
        fitted = LogisticRegression(C=10, max_iter=300, tol=1e-3).fit(features[chosen], intents[chosen])
        points.append((len(chosen), float((fitted.predict(test[0]) == test[1]).mean())))
        if len(chosen) >= labels:
            break
        left = np.setdiff1d(np.arange(len(features)), chosen)
        probabilities = fitted.predict_proba(features[left])
        best = select_for_labels(
            probabilities, _BATCH, **_how(strategy, features[left]), seed=seed * 1000 + len(chosen)
        )
        chosen += [int(left[place]) for place in best]
    print(f"{strategy}, seed {seed}: {points[-1][1]:.3f} at {points[-1][0]} labels", file=sys.stderr, flush=True)
    return Curve(strategy=strategy, seed=seed, points=tuple(points))


def _how(strategy: str, features: Floats) -> dict[str, Any]:
    return {"strategy": "margin", "features": features} if strategy == _UNLIKE else {"strategy": strategy}


if __name__ == "__main__":
    raise SystemExit(main())
