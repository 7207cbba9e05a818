"""Made-up answers to claims, in the file formats of the recorded data: enough of them to fit a combination."""

import csv
import gzip
import json
from pathlib import Path

from benchmarks.claims import LEVELS, MODELS

__all__ = ["CLAIMS", "write_recorded_claims", "write_recorded_exams"]

CLAIMS = 60
_WRONG_EACH = dict(zip(MODELS, (3, 4, 2), strict=True))
"""Every third claim, every fourth, every second."""
_TOLD = {"L1": "", "L2": "Title: {study_title}", "L3": "{kind}", "L4": "{variables}", "L5": "{kind} {variables}"}


def write_recorded_claims(data: Path) -> None:
    """Sixty claims, five prompts, ten runs, three models.

    A wrong answer is a code outside the codebook, the same in every run and prompt, but for the fifth prompt, where it
    comes with words around the JSON. The first model is unsure where it is wrong; the others always state the same.
    The first annotator is wrong about every tenth claim, the second about none.
    """
    folder = data / "hitl_deductive_coding"
    (folder / "prompts").mkdir(parents=True)
    for level, told in _TOLD.items():
        (folder / "prompts" / f"prompt_{level}.txt").write_text(f'Code {told}\n{{claim}}\n\n{{"code": "..."}}\n')
    (folder / "02_dataset_gold_CI.json").write_text(json.dumps([_gold(number) for number in range(CLAIMS)]))
    for annotator in (1, 2):
        (folder / f"human_annotator_{annotator}.csv").write_text("\n".join(["Sheet,,,,", *_sheet(annotator)]))
    rows = [_row(model, level, run, n) for model in MODELS for level in LEVELS for run in range(1, 11) for n in _ALL]
    _write(folder / "predictions.csv.gz", [("paper_id", "model", "level", "run", "raw_response"), *rows])


_ALL = range(CLAIMS)


def _gold(number: int) -> dict[str, object]:
    facts = {"claim": f"CLAIM {number}", "study_title": "A study", "kind": "SURVEY", "variables": "TIME"}
    return {"paper_id": f"C{number}", "input": facts, "labels": {"code": "RIGHT", "theme": "T"}}


def _sheet(annotator: int) -> list[str]:
    coded = ["NOT RIGHT" if annotator == 1 and number % 10 == 0 else "RIGHT" for number in _ALL]
    return [f"{number},C{number},CLAIM {number},{code}," for number, code in enumerate(coded)]


def _row(model: str, level: str, run: int, number: int) -> tuple[str, ...]:
    wrong = number % _WRONG_EACH[model] == 0
    sure = (0.4 if wrong else 0.9) if model == MODELS[0] else 0.8
    text = json.dumps({"code": f"NOT BY {model}" if wrong else "RIGHT", "theme": "T", "confidence": sure})
    return (f"C{number}", model, level, str(run), f"{text}\nbecause" if wrong and level == "L5" else text)


def write_recorded_exams(data: Path) -> None:
    """Four graded answers of one model, one that could not be graded, and one to the other prompt."""
    (data / "plaut_mcqa_msp").mkdir(parents=True)
    graded = [
        ("Correct", "1.0000001"),
        ("Correct", "0.9"),
        ("Wrong", "0.5"),
        ("Correct", "0.4"),
        ("Unparseable", "0.3"),
    ]
    rows = [("mmlu", "gpt", "first", str(number), *one) for number, one in enumerate(graded)]
    head = ("dataset", "model", "prompt", "question_index", "grade", "confidence")
    _write(data / "plaut_mcqa_msp" / "msp.csv.gz", [head, *rows, ("mmlu", "gpt", "second", "0", "Wrong", "1.0")])


def _write(path: Path, rows: list[tuple[str, ...]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
