"""The error rate told from audits, against the truth of recorded answers: how often does its interval hold it?"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.budgets import labels_for
from benchmarks.figures import Scored, markdown
from hitl_prefect.estimates import ErrorRate, error_of_accepted, error_of_all
from hitl_prefect.evidence import Evidence, Key
from hitl_prefect.labels import Label
from hitl_prefect.shares import Share

__all__ = ["Held", "held_rates", "held_table"]

_CASES = 2000
_BAR = 0.95
_AUDIT_RATE = 0.05
_KEY = Key("exam", "recorded", "-", "logprob_decision")
_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Held:
    """One estimate in many simulations."""

    exam: str
    what: str
    truth: float
    rates: tuple[ErrorRate, ...]

    @property
    def share(self) -> float:
        """That of the simulations whose interval holds the truth."""
        return sum(one.low <= self.truth <= one.high for one in self.rates) / len(self.rates)

    def row(self) -> list[str]:
        """Of the table."""
        mean = sum(one.value for one in self.rates) / len(self.rates)
        width = sum(one.high - one.low for one in self.rates) / len(self.rates)
        return [self.exam, self.what, f"{self.truth:.1%}", f"{mean:.1%}", f"{self.share:.1%}", f"{width:.3f}"]


def held_table(held: Sequence[Held]) -> str:
    """One row per exam and estimate."""
    head = ["Model, exam", "error rate of", "truth", "mean estimate", "interval holds the truth", "its mean width"]
    return markdown(head, [one.row() for one in held])


def held_rates(exams: Sequence[Scored], *, simulations: int) -> list[Held]:
    """Cases drawn from each exam, with replacement, routed at a bar and audited."""
    return [one for exam in exams for one in _held(exam, simulations)]


def _held(exam: Scored, simulations: int) -> Iterator[Held]:
    answers = labels_for(exam)
    drawn = [_routed(answers, random.Random(f"{exam.name}:{number}")) for number in range(simulations)]
    sure = [one.right for one in answers if one.confidence >= _BAR]
    among_all, among_sure = 1 - sum(exam.right) / len(exam.right), 1 - sum(map(bool, sure)) / len(sure)
    estimates: list[tuple[str, float, Callable[[list[Evidence]], ErrorRate | None]]] = [
        ("all", among_all, error_of_all),
        ("all, without weights", among_all, _unweighted),
        ("accepted", among_sure, error_of_accepted),
    ]
    for what, truth, estimate in estimates:
        found = (estimate(one) for one in drawn)
        yield Held(exam.name, what, truth, tuple(one for one in found if one))


def _routed(answers: Sequence[Label], lot: random.Random) -> list[Evidence]:
    return [_case(one, lot.random() < _AUDIT_RATE) for one in lot.choices(answers, k=_CASES)]


def _case(answer: Label, audited: bool) -> Evidence:
    sure = answer.confidence >= _BAR
    return Evidence(
        key=_KEY,
        case_id=answer.case_id,
        confidence=answer.confidence,
        right=answer.right if audited or not sure else None,
        action="accept" if sure and not audited else "review",
        reason="below_bar" if not sure else "audit" if audited else "above_bar",
        propensity=_AUDIT_RATE if sure else 1.0,
        bar=_BAR,
        policy_version="v1",
        how="accepted" if sure and not audited else "audit" if audited else "prefilled",
        decided_at=_DAY,
        cost_usd=None,
    )


def _unweighted(evidence: list[Evidence]) -> ErrorRate | None:
    """All labels alike, as one would count them."""
    wrong = Share.true(not one.right for one in evidence if one.right is not None)
    if wrong.value is None:
        return None
    low, high = wrong.interval()
    return ErrorRate(value=wrong.value, low=low, high=high, labels=wrong.of, cases=len(evidence))
