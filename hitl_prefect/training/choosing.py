"""Which outcomes become rows of a training file, and why the others do not."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import ValidationError

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import How
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import Outcome
from hitl_prefect.reading import Unreadable
from hitl_prefect.training.files import (
    FileFormat,
    LeftOut,
    RowFacts,
    Split,
    TrainingFiles,
    TrainingRow,
    TrainingSummary,
)
from hitl_prefect.training.lessons import TRUSTED, Lesson, Tag, lesson_of
from hitl_prefect.training.openai import openai_dpo, openai_sft
from hitl_prefect.training.trl import trl_dpo, trl_kto, trl_sft

__all__ = ["split_of", "training_files"]

_ROWS: Mapping[FileFormat, Callable[[Lesson], Iterator[Frozen]]] = {
    "trl-sft": trl_sft,
    "trl-dpo": trl_dpo,
    "trl-kto": trl_kto,
    "openai-sft": openai_sft,
    "openai-dpo": openai_dpo,
}
_PAIRS: tuple[FileFormat, ...] = ("trl-dpo", "openai-dpo")
_WITH_IMAGES: tuple[FileFormat, ...] = ("openai-sft",)


def training_files(
    outcomes: Iterable[Outcome[Any] | Unreadable],
    *,
    task: str,
    file_format: FileFormat,
    include: Iterable[Tag] = (),
    holdout: float = 0.2,
) -> TrainingFiles:
    """The rows of a task in a format.

    A prompt is in the same split however often and from whatever outcomes the files are made. Of several outcomes with
    the same prompt the latest counts.

    Args:
        outcomes: Of the task, each looked at once.
        task: Its name, for the summary.
        file_format: Who is going to read them.
        include: What else to learn from, beside `TRUSTED`.
        holdout: The share of prompts to validate on, in [0, 1).

    Raises:
        ConfigError: If there is no such format or tag, or the share is none.
    """
    _check(file_format, include := tuple(include), holdout)
    sorting = _Sorting(file_format, TRUSTED.union(include))
    for one in outcomes:
        sorting.take(one)
    rows: dict[Split, list[TrainingRow]] = {"train": [], "validation": []}
    for question in sorted(sorting.kept):
        lesson, bodies = sorting.kept[question]
        rows[split_of(question, holdout)] += [TrainingRow(body, canonical_bytes(_facts(lesson))) for body in bodies]
    summary = TrainingSummary(
        task=task,
        file_format=file_format,
        include=tuple(sorted(sorting.included)),
        holdout=holdout,
        outcomes=sorting.outcomes,
        train=len(rows["train"]),
        validation=len(rows["validation"]),
        left_out=dict(sorted(sorting.left_out.items())),
        unreadable=tuple(sorting.unreadable),
    )
    return TrainingFiles(summary=summary, rows=rows)


@dataclass
class _Sorting:
    """What is kept, and what is left out."""

    file_format: FileFormat
    included: frozenset[Tag]
    outcomes: int = 0
    kept: dict[str, tuple[Lesson, list[bytes]]] = field(default_factory=dict)
    """By what is asked."""
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    unreadable: list[Unreadable] = field(default_factory=list)

    def take(self, one: Outcome[Any] | Unreadable) -> None:
        if isinstance(one, Unreadable):
            self.unreadable.append(one)
            return
        self.outcomes += 1
        lesson = lesson_of(one)
        why = self._objection(lesson)
        bodies = [] if why else self._bodies(lesson)
        if bodies:
            self._keep(lesson, bodies)
        else:
            self.left_out[why or "unfit"] += 1

    def _objection(self, lesson: Lesson) -> LeftOut | None:
        if not lesson.tags <= self.included:
            return lesson.how if lesson.how not in self.included else "anchored"
        if all(one.role == "system" for one in lesson.messages):
            return "no_prompt"
        if lesson.has_images and self.file_format not in _WITH_IMAGES:
            return "image"
        if self.file_format in _PAIRS:
            return "no_pair" if lesson.wanted is None or lesson.unwanted is None else None
        nothing = lesson.wanted is None and (self.file_format != "trl-kto" or lesson.unwanted is None)
        return "no_answer" if nothing else None

    def _bodies(self, lesson: Lesson) -> list[bytes]:
        """The rows as JSON; none where one of them would not be valid, such as an empty answer."""
        try:
            return [row.model_dump_json(exclude_none=True).encode() for row in _ROWS[self.file_format](lesson)]
        except ValidationError:
            return []

    def _keep(self, lesson: Lesson, bodies: list[bytes]) -> None:
        before = self.kept.get(lesson.question)
        if before:
            self.left_out["same_prompt"] += 1
        if before is None or (before[0].decided_at, before[0].case_id) < (lesson.decided_at, lesson.case_id):
            self.kept[lesson.question] = lesson, bodies


def split_of(question: str, holdout: float) -> Split:
    """The side of a prompt, by its sha256: the same prompt is always on the same side of the same share."""
    return "validation" if int(question[:12], 16) < holdout * 16**12 else "train"


def _facts(lesson: Lesson) -> RowFacts:
    return RowFacts(
        case_id=lesson.case_id,
        how=lesson.how,
        anchored=lesson.anchored,
        propensity=lesson.propensity,
        source_model=lesson.model,
        source_provider=lesson.provider,
        decided_at=lesson.decided_at,
        prompt_sha256=lesson.question,
    )


def _check(file_format: str, include: Sequence[str], holdout: float) -> None:
    tags = (*get_args(How), "anchored")
    if file_format not in _ROWS:
        raise ConfigError(f"there is no training format {file_format!r}; there is {', '.join(_ROWS)}")
    if unknown := [one for one in include if one not in tags]:
        raise ConfigError(f"include={unknown[0]!r} is not how an answer comes about; there is {', '.join(tags)}")
    if not 0 <= holdout < 1:
        raise ConfigError(f"holdout={holdout} is no share to validate on: give a number from 0 to below 1")
