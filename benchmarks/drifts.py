"""A bar from one exam, used on another: when do the monitors notice, and what has gone through by then?"""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.budgets import CONFIDENCE_LEVEL, labels_for
from benchmarks.figures import Scored, markdown
from hitl_prefect.calibration import find_bar
from hitl_prefect.labels import Label
from hitl_prefect.monitoring import monitor_error, monitor_scores

__all__ = ["DELTA", "Drift", "drifts_table", "met_drifts"]

_MAX_ERROR = 0.05
_LABELS = 1000
_CASES = 6000
_AUDIT_RATE = 0.05
DELTA = 0.01


@dataclass(frozen=True)
class Drift:
    """What came of many runs from one exam to another."""

    model: str
    exams: str
    bars: int
    """Runs that had a bar."""
    error: float
    """The mean error rate among what the bars accept of the second exam."""
    by_scores: tuple[int | None, ...]
    """Cases until each run's alarm by scores; `None` where there was none among those looked at."""
    by_error: tuple[int | None, ...]
    """The same by audits."""
    let_through: tuple[int, ...]
    """Wrong answers accepted unseen in each run before the first alarm, or in all cases where there was none."""
    let_through_by_audits: tuple[int, ...]
    """The same, had there been no monitor of the scores."""

    def row(self) -> list[str]:
        """Of the table."""
        told = [
            _told(self.by_scores),
            _told(self.by_error),
            _wrong(self.let_through),
            _wrong(self.let_through_by_audits),
        ]
        return [self.model, self.exams, str(self.bars), f"{self.error:.1%}", *told]


def _told(alarms: Sequence[int | None]) -> str:
    """How many runs had an alarm, and the median and latest of its cases."""
    heard = [one for one in alarms if one is not None]
    share = f"{len(heard)} of {len(alarms)}"
    return f"{share}; {median(heard):.0f} ({max(heard)})" if heard else share


def _wrong(numbers: Sequence[int]) -> str:
    return f"{median(numbers):.0f} ({max(numbers)})" if numbers else "-"


def drifts_table(drifts: Sequence[Drift]) -> str:
    """One row per model and pair of exams."""
    head = ["Model", "bar from, used on", "runs with a bar", "wrong among accepted"]
    alarms = ["alarm by scores: after cases", "alarm by audits: after cases"]
    wrong = ["let through before the first alarm", "let through before that by audits"]
    return markdown([*head, *alarms, *wrong], [one.row() for one in drifts])


def met_drifts(exams: Sequence[Scored], *, runs: int) -> list[Drift]:
    """Each model from `arc` to `mmlu`, and, where nothing changes, from `arc` to `arc`."""
    named = {exam.name: labels_for(exam) for exam in exams}
    models = [name.removesuffix(", arc") for name in named if name.endswith(", arc") and f"{name[:-5]}, mmlu" in named]
    pairs = [(model, used) for model in models for used in ("mmlu", "arc")]
    return [_met(model, used, named[f"{model}, arc"], named[f"{model}, {used}"], runs) for model, used in pairs]


def _met(model: str, used: str, known: Sequence[Label], met: Sequence[Label], runs: int) -> Drift:
    found = [one for one in (_run(known, met, seed) for seed in range(runs)) if one]
    return Drift(
        model=model,
        exams=f"arc, {used}",
        bars=len(found),
        error=sum(one.error for one in found) / max(1, len(found)),
        by_scores=tuple(one.by_scores for one in found),
        by_error=tuple(one.by_error for one in found),
        let_through=tuple(one.let_through for one in found),
        let_through_by_audits=tuple(one.let_through_by_audits for one in found),
    )


@dataclass(frozen=True)
class _Run:
    error: float
    by_scores: int | None
    by_error: int | None
    let_through: int
    let_through_by_audits: int


def _run(known: Sequence[Label], met: Sequence[Label], seed: int) -> _Run | None:
    """One run; `None` without a bar."""
    lot = random.Random(seed)
    labels = lot.choices(known, k=_LABELS)
    bar = find_bar(labels, max_error=_MAX_ERROR, confidence_level=CONFIDENCE_LEVEL, look=None).bar
    if bar is None:
        return None
    cases = lot.choices(met, k=_CASES)
    accepted = [place for place, case in enumerate(cases) if case.confidence >= bar]
    audits = [place for place in accepted if lot.random() < _AUDIT_RATE]
    reference = [one.confidence for one in labels]
    changed = monitor_scores((case.confidence for case in cases), reference=reference, delta=DELTA)
    worse = monitor_error((not cases[place].right for place in audits), max_error=_MAX_ERROR, delta=DELTA)
    by_scores, by_error = changed and changed.at + 1, worse and audits[worse.at] + 1
    unseen = set(accepted) - set(audits)
    wrong = sorted(place for place in unseen if not cases[place].right)
    return _Run(
        error=sum(not cases[place].right for place in accepted) / max(1, len(accepted)),
        by_scores=by_scores,
        by_error=by_error,
        let_through=bisect_left(wrong, min(by_scores or _CASES, by_error or _CASES)),
        let_through_by_audits=bisect_left(wrong, by_error or _CASES),
    )
