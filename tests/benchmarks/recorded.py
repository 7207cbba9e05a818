"""A small made-up folder in the file formats of the recorded data."""

import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path

__all__ = ["write_recorded_data"]

_COLUMNS = ("paper_id", "model", "level", "run", "code", "confidence", "claim", "raw_response")
_CLAIMS = (
    ("C1", "CI SHORTENS THE BUILD", "FASTER BUILDS", "BUILDS"),
    ("C2", "CI FINDS DEFECTS {EARLY}", "FEWER DEFECTS", "DEFECTS"),
    ("C3", 'CI "HELPS", SOMETIMES', "FEWER DEFECTS", "DEFECTS"),
)
_ANNOTATED = ("FASTER BUILDS", "FEWER DEFECTS", "FASTER BUILDS")
_GPT = (
    ("FASTER BUILDS", "BUILDS", "0.80"),
    ("DEFECTS", "DEFECTS", "0.95"),
    ("FASTER BUILDS", "BUILDS", "0.4"),
)
"""Right and sure, invalid and sure, wrong and unsure."""
_HAIKU = (
    ("FASTER BUILDS", "BUILDS", "0.9"),
    ("FASTER BUILDS", "BUILDS", "0.85"),
    ("FEWER DEFECTS", "DEFECTS", "0.72"),
)
"""Right and sure, wrong and sure, right and unsure."""
_MESSAGES = (
    ("I want my money back, please refund this purchase", "request_refund"),
    ("When will my card arrive?", "card_arrival"),
    ("Please close my account and delete my profile", "terminate_account"),
    ("Which of these do you do?", "visa_or_mastercard"),
    ("Exchange rate?", "exchange_rate"),
)
"""Three that fit a category, one that fits none, and one whose intent is left out."""


def write_recorded_data(data: Path) -> None:
    """Three claims with two models' replies and an annotator's codes, and five messages."""
    coding, banking = data / "hitl_deductive_coding", data / "banking77"
    (coding / "prompts").mkdir(parents=True)
    banking.mkdir()
    (coding / "prompts" / "prompt_L1.txt").write_text('Code this.\n=== CLAIM ===\n{claim}\n\n{"code": "..."}\n')
    (coding / "02_dataset_gold_CI.json").write_text(json.dumps([_gold(*claim) for claim in _CLAIMS]))
    _write_table(coding / "human_annotator_1.csv", _sheet())
    _write_table(banking / "test.csv", [("text", "category"), *_MESSAGES])
    with gzip.open(coding / "predictions.csv.gz", "wt", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([_COLUMNS, *_predictions()])


def _gold(paper: str, text: str, code: str, theme: str) -> dict[str, object]:
    return {"paper_id": paper, "input": {"claim": text}, "labels": {"code": code, "theme": theme, "code_id": 1}}


def _sheet() -> list[tuple[str, ...]]:
    titles = [("Annotation sheet", "", "", "", ""), ("#", "Claim ID", "Claim Text", "Your Code", "Notes")]
    rows = [
        (str(number), paper, text, code, "")
        for number, ((paper, text, *_), code) in enumerate(zip(_CLAIMS, _ANNOTATED, strict=True), start=1)
    ]
    return [*titles, ("▸  Theme: Builds", "", "", "", ""), *rows]


def _predictions() -> list[tuple[str, ...]]:
    """The first run among others that must not be used."""
    gpt, haiku = "gpt-4o-mini-2024-07-18", "claude-haiku-4-5-20251001"
    return [
        *_replies(gpt, "L1", "2", "not this run {}", _GPT),
        *_replies(gpt, "L2", "1", "not this level {}", _GPT),
        *_replies(gpt, "L1", "1", "{}", _GPT),
        *_replies(haiku, "L1", "1", "```json\n{}\n```", _HAIKU),
    ]


def _replies(
    model: str, level: str, run: str, around: str, answers: Iterable[tuple[str, str, str]]
) -> list[tuple[str, ...]]:
    return [
        (paper, model, level, run, code, sure, text, around.replace("{}", _reply(code, theme, sure)))
        for (paper, text, *_), (code, theme, sure) in zip(_CLAIMS, answers, strict=True)
    ]


def _reply(code: str, theme: str, confidence: str) -> str:
    return f'{{\n  "code": "{code}",\n  "theme": "{theme}",\n  "confidence": {confidence}\n}}'


def _write_table(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
