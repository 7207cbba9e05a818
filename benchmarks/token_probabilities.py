"""How likely a model held the letter that it chose in a multiple-choice exam, and whether it was right.

The folder `plaut_mcqa_msp` holds `msp.csv.gz`, made of files of
https://github.com/bplaut/llm-calibration-and-correctness-prediction (MIT): the confidence is the probability of the
answer's token, as `logprob_decision` gives it. What could not be graded is left out, as in the study.
"""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

from benchmarks.figures import Scored

__all__ = ["read_exams"]

_PROMPT = "first"
"""The first of the two prompts of the study."""


def read_exams(data: Path) -> list[Scored]:
    """One per model and exam, models in the order of their names.

    Raises:
        OSError: If the file is missing.
    """
    found: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
    with gzip.open(data / "plaut_mcqa_msp" / "msp.csv.gz", "rt", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["prompt"] == _PROMPT and row["grade"] in ("Correct", "Wrong"):
                # The file's probabilities may exceed 1 by the last bit.
                sure = min(1.0, float(row["confidence"]))
                found[row["model"], row["dataset"]].append((sure, row["grade"] == "Correct"))
    return [
        Scored(
            name=f"`{model}`, {exam}",
            confidence=tuple(sure for sure, _ in answers),
            right=tuple(right for _, right in answers),
        )
        for (model, exam), answers in sorted(found.items())
    ]
