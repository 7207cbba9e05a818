"""Bars found from recorded answers, by the shipped way and by the naive one, and how often each breaks the promise."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import Scored, markdown
from hitl_prefect.calibration import GRID, Label, find_bar
from hitl_prefect.labels import Count, counts_from

__all__ = ["CONFIDENCE_LEVEL", "Kept", "budgets_table", "kept_budgets", "labels_for"]

CONFIDENCE_LEVEL = 0.9
_SIZES = (100, 300, 1000)
_BUDGETS = (0.05, 0.1)


@dataclass(frozen=True)
class Kept:
    """What the bars of many draws came to, for one exam, budget and number of labels."""

    exam: str
    max_error: float
    labels: int
    accepted: tuple[tuple[float, float], ...]
    """Share accepted and error rate, of all recorded answers, per draw, by `find_bar`."""
    naively: tuple[tuple[float, float], ...]
    """The same by the lowest threshold with at most `max_error` among the labels drawn."""
    held_out: tuple[tuple[float, float], ...]
    """The same by `find_bar`, of the answers that a random split left over, per split."""

    @property
    def broken(self) -> float:
        """The share of draws whose bar lets more than `max_error` through."""
        return self._broken(self.accepted)

    @property
    def broken_in_splits(self) -> float:
        """The share of splits whose bar lets more than `max_error` through of what was left over.

        It is at least the share of broken promises: labels that err seldom by chance leave a rest that errs more often.
        """
        return self._broken(self.held_out)

    @property
    def coverage(self) -> float:
        """The mean share accepted; no bar accepts nothing."""
        return sum(share for share, _ in self.accepted) / len(self.accepted)

    def row(self) -> list[str]:
        """Of the table."""
        naive = sum(share for share, _ in self.naively) / len(self.naively)
        ours = [f"{self.coverage:.3f}", f"{self.broken:.1%}", f"{self.broken_in_splits:.1%}"]
        naively = [f"{naive:.3f}", f"{self._broken(self.naively):.1%}"]
        return [self.exam, f"{self.max_error:.0%}", str(self.labels), *ours, *naively]

    def _broken(self, accepted: Sequence[tuple[float, float]]) -> float:
        return sum(error > self.max_error for _, error in accepted) / len(accepted)


def budgets_table(kept: Sequence[Kept]) -> str:
    """One row per exam, budget and number of labels."""
    ours, naively = ["accepted", "promise broken", "in splits"], ["naive: accepted", "naive: broken"]
    head = ["Model, exam", "max_error", "labels", *ours, *naively]
    return markdown(head, [one.row() for one in kept])


def kept_budgets(
    exams: Sequence[Scored],
    *,
    draws: int,
    sizes: Sequence[int] = _SIZES,
    budgets: Sequence[float] = _BUDGETS,
) -> list[Kept]:
    """Draw labels from each exam: with replacement, so that its answers are all there is and the truth is known.

    Beside it the split in two parts, labels and the rest, as often.
    """
    return [_kept(exam, max_error, size, draws) for exam in exams for max_error in budgets for size in sizes]


def _kept(exam: Scored, max_error: float, size: int, draws: int) -> Kept:
    labels = labels_for(exam)
    truth = {one.threshold: one for one in counts_from(labels, GRID)}
    drawn = [random.Random(f"{exam.name}:{size}:{draw}").choices(labels, k=size) for draw in range(draws)]
    found = [_bar(one, max_error) for one in drawn]
    naive = [_naive_bar(counts_from(one, GRID), max_error) for one in drawn]
    return Kept(
        exam=exam.name,
        max_error=max_error,
        labels=size,
        accepted=tuple(_came_to(truth, bar, len(labels)) for bar in found),
        naively=tuple(_came_to(truth, bar, len(labels)) for bar in naive),
        held_out=tuple(_held_out(exam.name, labels, size, max_error, split) for split in range(draws)),
    )


def _held_out(exam: str, labels: Sequence[Label], size: int, max_error: float, split: int) -> tuple[float, float]:
    """What the bar of a random part came to in the other part."""
    shuffled = random.Random(f"{exam}:{size}:split {split}").sample(labels, k=len(labels))
    rest = {one.threshold: one for one in counts_from(shuffled[size:], GRID)}
    return _came_to(rest, _bar(shuffled[:size], max_error), len(labels) - size)


def labels_for(exam: Scored) -> list[Label]:
    """All answers of an exam, as if each had been reviewed."""
    answers = enumerate(zip(exam.confidence, exam.right, strict=True))
    return [Label(sure, right, 1.0, exam.name, str(number)) for number, (sure, right) in answers]


def _bar(labels: Sequence[Label], max_error: float) -> float | None:
    return find_bar(labels, max_error=max_error, confidence_level=CONFIDENCE_LEVEL, look=None).bar


def _naive_bar(counts: Sequence[Count], max_error: float) -> float | None:
    fine = [one.threshold for one in counts if one.labels and one.errors <= max_error * one.labels]
    return min(fine, default=None)


def _came_to(truth: dict[float, Count], bar: float | None, cases: int) -> tuple[float, float]:
    """Share accepted and error rate among it."""
    if bar is None or not truth[bar].labels:
        return 0.0, 0.0
    return truth[bar].labels / cases, truth[bar].errors / truth[bar].labels
