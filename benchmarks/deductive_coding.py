"""Claims about continuous integration, coded by experts, by an annotator and by two hosted models.

The folder `hitl_deductive_coding` holds files of
https://github.com/moaathalshaikh/llm-confidence-routing-for-deductive-coding (MIT): the gold labels, the sheets of two
annotators, the prompts, and every raw response of the models.
"""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict

from benchmarks.exams import BAR, Exam, Trial, typed_edit
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.policy import Policy

__all__ = ["MODELS", "coding_exam", "read_annotations"]

MODELS = ("openai:gpt-4o-mini-2024-07-18", "anthropic:claude-haiku-4-5-20251001")
"""The recorded models, as the SDKs name them."""

_LEVEL, _RUN = "L1", "1"
"""The prompt with the claim alone, and the first of ten runs at temperature 0."""


class _Claim(Frozen):
    model_config = ConfigDict(extra="ignore")

    paper: str
    text: str
    code: str
    theme: str


def coding_exam(data: Path, model: str, cases: int) -> Exam:
    """The first claims in the order of the gold file, as one recorded model answered them.

    Raises:
        ConfigError: If the files do not fit together.
        OSError: If one is missing.
    """
    folder = data / "hitl_deductive_coding"
    claims = _read_claims(folder / "02_dataset_gold_CI.json")
    theme_of = {claim.code: claim.theme for claim in claims}
    prompt = (folder / "prompts" / f"prompt_{_LEVEL}.txt").read_text("utf-8")
    annotated = read_annotations(data, 1)
    replies = _read_replies(folder / "predictions.csv.gz", model.partition(":")[2])
    asked = claims[:cases]
    return Exam(
        model=model,
        deployment="code-claim/code-claim",
        policy=Policy(min_confidence=BAR, scorers=("stated",)),
        parameters={"codes": sorted(theme_of), "themes": sorted(set(theme_of.values()))},
        trials=tuple(_trial(claim, prompt, annotated, theme_of) for claim in asked),
        replies={_filled(prompt, claim): _of(replies, claim, f"reply of {model}") for claim in asked},
        blind_reviewer=True,
    )


def read_annotations(data: Path, annotator: Literal[1, 2]) -> dict[tuple[str, str], str]:
    """The codes that one annotator chose, alone and without a model's answer in sight, by claim id and claim text.

    Raises:
        OSError: If the sheet is missing.
    """
    sheet = data / "hitl_deductive_coding" / f"human_annotator_{annotator}.csv"
    with sheet.open(encoding="utf-8-sig", newline="") as lines:
        # Rows of titles and themes have no number in the first column.
        rows = [row for row in csv.reader(lines) if row and row[0].isdigit()]
    return {(paper, text): code for _, paper, text, code, *_ in rows}


def _trial(claim: _Claim, prompt: str, annotated: dict[tuple[str, str], str], theme_of: dict[str, str]) -> Trial:
    code = _of(annotated, claim, "label of annotator 1")
    typed = typed_edit({"code": code, "theme": _theme(theme_of, code)}, "label of annotator 1")
    return Trial(id=claim.paper, prompt=_filled(prompt, claim), right=claim.code, typed=typed)


def _filled(prompt: str, claim: _Claim) -> str:
    # Not `format`: the prompt shows a JSON object in braces.
    return prompt.replace("{claim}", claim.text)


def _of(found: dict[tuple[str, str], str], claim: _Claim, what: str) -> str:
    try:
        return found[claim.paper, claim.text]
    except KeyError:
        raise ConfigError(f"the recorded data hold no {what} for claim {claim.paper!r}") from None


def _theme(theme_of: dict[str, str], code: str) -> str:
    if code not in theme_of:
        raise ConfigError(f"annotator 1 chose {code!r}, which is no code of the gold file")
    return theme_of[code]


def _read_claims(path: Path) -> list[_Claim]:
    claims = [
        _Claim(paper=one["paper_id"], text=one["input"]["claim"], **one["labels"])
        for one in json.loads(path.read_text("utf-8"))
    ]
    if len({claim.text for claim in claims}) < len(claims) or len({claim.paper for claim in claims}) < len(claims):
        raise ConfigError(f"{path.name} holds a claim or an id twice: replies are found by the claim in the prompt")
    return claims


def _read_replies(path: Path, model: str) -> dict[tuple[str, str], str]:
    """Raw response by claim id and claim text."""
    return {(row["paper_id"], row["claim"]): row["raw_response"] for row in _rows(path) if _is_asked(row, model)}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        yield from csv.DictReader(table)


def _is_asked(row: dict[str, str], model: str) -> bool:
    return (row["model"], row["level"], row["run"]) == (model, _LEVEL, _RUN)
