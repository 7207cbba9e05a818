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

    @property
    def broken(self) -> float:
        """The share of draws whose bar lets more than `max_error` through."""
        return self._broken(self.accepted)

    @property
    def coverage(self) -> float:
        """The mean share accepted; no bar accepts nothing."""
        return sum(share for share, _ in self.accepted) / len(self.accepted)

    def row(self) -> list[str]:
        """Of the table."""
        naive = sum(share for share, _ in self.naively) / len(self.naively)
        figures = [f"{self.coverage:.3f}", f"{self.broken:.1%}", f"{naive:.3f}", f"{self._broken(self.naively):.1%}"]
        return [self.exam, f"{self.max_error:.0%}", str(self.labels), *figures]

    def _broken(self, accepted: Sequence[tuple[float, float]]) -> float:
        return sum(error > self.max_error for _, error in accepted) / len(accepted)


def budgets_table(kept: Sequence[Kept]) -> str:
    """One row per exam, budget and number of labels."""
    head = ["Model, exam", "max_error", "labels", "accepted", "promise broken", "naive: accepted", "naive: broken"]
    return markdown(head, [one.row() for one in kept])


def kept_budgets(
    exams: Sequence[Scored],
    *,
    draws: int,
    sizes: Sequence[int] = _SIZES,
    budgets: Sequence[float] = _BUDGETS,
) -> list[Kept]:
    """Draw labels from each exam, with replacement, so that its answers are all there is and the truth is known."""
    return [_kept(exam, max_error, size, draws) for exam in exams for max_error in budgets for size in sizes]


def _kept(exam: Scored, max_error: float, size: int, draws: int) -> Kept:
    labels = labels_for(exam)
    truth = {one.threshold: one for one in counts_from(labels, GRID)}
    drawn = [random.Random(f"{exam.name}:{size}:{draw}").choices(labels, k=size) for draw in range(draws)]
    found = [find_bar(one, max_error=max_error, confidence_level=CONFIDENCE_LEVEL, look=None).bar for one in drawn]
    naive = [_naive_bar(counts_from(one, GRID), max_error) for one in drawn]
    return Kept(
        exam=exam.name,
        max_error=max_error,
        labels=size,
        accepted=tuple(_came_to(truth, bar, len(labels)) for bar in found),
        naively=tuple(_came_to(truth, bar, len(labels)) for bar in naive),
    )


def labels_for(exam: Scored) -> list[Label]:
    """All answers of an exam, as if each had been reviewed."""
    answers = enumerate(zip(exam.confidence, exam.right, strict=True))
    return [Label(sure, right, 1.0, exam.name, str(number)) for number, (sure, right) in answers]


def _naive_bar(counts: Sequence[Count], max_error: float) -> float | None:
    fine = [one.threshold for one in counts if one.labels and one.errors <= max_error * one.labels]
    return min(fine, default=None)


def _came_to(truth: dict[float, Count], bar: float | None, cases: int) -> tuple[float, float]:
    """Share accepted and error rate among it."""
    if bar is None or not truth[bar].labels:
        return 0.0, 0.0
    return truth[bar].labels / cases, truth[bar].errors / truth[bar].labels
