"""Training files: what is in them, what was left out and why, and how they appear whole or not at all."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from uuid import uuid4

from pydantic import AwareDatetime, Field

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import How
from hitl_prefect.frozen import Frozen
from hitl_prefect.reading import Unreadable
from hitl_prefect.training.lessons import Tag

__all__ = ["FileFormat", "LeftOut", "RowFacts", "Split", "TrainingFiles", "TrainingRow", "TrainingSummary"]

FileFormat = Literal["trl-sft", "trl-dpo", "trl-kto", "openai-sft", "openai-dpo"]
LeftOut = Tag | Literal["image", "no_pair", "no_answer", "no_prompt", "unfit", "same_prompt"]
"""Why an outcome has no row: how it came about is not included; the format takes no pictures; nobody corrected the
draft; there is no answer to learn; the prompt was not kept; the row would not be valid; a later outcome answers the
same prompt."""
Split = Literal["train", "validation"]


class RowFacts(Frozen):
    """What is known of a row, in the file beside it; nothing of it names a person."""

    case_id: str
    how: How
    anchored: bool
    propensity: float = Field(ge=0, le=1)
    """The probability with which the case was sent to a person: 1 / propensity is its weight."""
    source_model: str
    source_provider: str
    decided_at: AwareDatetime
    prompt_sha256: str
    """Of the prompt without few-shot examples; it decides the split."""


class TrainingSummary(Frozen):
    """What is in the files, and what is not."""

    task: str
    file_format: FileFormat
    include: tuple[Tag, ...]
    holdout: float
    outcomes: int
    """How many were read."""
    train: int
    """Rows to train on."""
    validation: int
    """Rows to validate on."""
    left_out: dict[LeftOut, int]
    """Outcomes without a row, by the reason."""
    unreadable: tuple[Unreadable, ...]


class TrainingRow(NamedTuple):
    """A line of a training file, and the line beside it."""

    body: bytes
    facts: bytes


@dataclass(frozen=True)
class TrainingFiles:
    """Rows that are ready to be written: the same outcomes and options always give the same bytes."""

    summary: TrainingSummary
    rows: Mapping[Split, Sequence[TrainingRow]] = field(repr=False)

    def bodies(self) -> dict[str, bytes]:
        """The files by name: a row per line, and beside them a `.meta.jsonl` with what is known of each."""
        found = {"summary.json": canonical_bytes(self.summary) + b"\n"}
        for split, rows in self.rows.items():
            found[f"{split}.jsonl"] = b"".join(row.body + b"\n" for row in rows)
            found[f"{split}.meta.jsonl"] = b"".join(row.facts + b"\n" for row in rows)
        return found

    def write(self, folder: Path) -> None:
        """Make the folder with all files in it; where that fails there is none.

        Raises:
            ConfigError: If something stands there already, or it cannot be written.
        """
        try:
            _write_folder(folder, self.bodies())
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise ConfigError(f"no files were written to {str(folder)!r}: {why}; give a new folder") from exc


def _write_folder(folder: Path, bodies: Mapping[str, bytes]) -> None:
    """A folder of its own that takes the name at the end: nobody ever reads half of the files."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}-{uuid4().hex}")
    try:
        temporary.mkdir()
        for name, body in bodies.items():
            with (temporary / name).open("xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
        # Onto a folder that holds something this fails, and so nothing is ever overwritten.
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
