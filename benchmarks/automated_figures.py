"""What comes out where the surest answers of a model are accepted and people give the others.

Claims with equal confidence cannot be told apart. Where not all of a tie fits in, each of it is accepted by chance, so
that each counts as accepted in part: exactly the share is accepted, and no figure depends on the order of the claims.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Scored, markdown, told
from hitl_prefect.errors import ConfigError
from hitl_prefect.metrics import Interval

__all__ = ["SHARES", "Automated", "People", "accepted_of", "automate", "automated_table"]

SHARES = (0.4, 0.6, 0.8)
"""How much is accepted."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """Which claims people got right, each of them alone."""

    right: NDArray[np.bool_]
    """Per person and claim, in the order of the models' answers."""

    def __post_init__(self) -> None:
        if self.right.ndim != 2 or not self.right.size:
            raise ConfigError("there are no codes of people to compare with: give a row per person, a column per claim")

    @property
    def each_and_mean(self) -> Floats:
        """Per claim, how right each person was, and at last their mean; in [0, 1]."""
        return np.vstack([self.right, self.right.mean(axis=0)])


@dataclass(frozen=True)
class Automated:
    """One share of the claims, accepted by one score."""

    name: str
    share: float
    reached: tuple[float, float]
    """The coverages of the two bars next to the share, equal where one meets it: a bar takes all of a tie, or none."""
    accepted: Interval
    """How often the model is right where it is accepted."""
    people_there: float
    """How often people are right on these same claims, on average."""
    whole: tuple[float, ...]
    """How often the whole is right, with each person as the reviewer, and on average."""
    gain: tuple[Interval, ...]
    """The whole less that person alone, likewise."""

    def row(self) -> list[str]:
        """As cells of the table."""
        return [
            self.name,
            f"{self.share:.0%}",
            " or ".join(f"{one:.0%}" for one in dict.fromkeys(self.reached)),
            told(self.accepted),
            f"{self.people_there:.3f}",
            *(f"{one:.3f}" for one in self.whole),
            *(told(one, "{:+.3f}".format) for one in self.gain),
        ]


def accepted_of(confidence: Floats, share: float) -> Floats:
    """How much of each claim is accepted, in [0, 1]: the surest ones, as many whole claims as are nearest to the share.

    >>> accepted_of(np.array([0.9, 0.5, 0.5, 0.1]), 0.5).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    count = round(share * len(confidence))
    if not count:
        return np.zeros(len(confidence))
    bar = np.sort(confidence)[-count]
    above, tied = confidence > bar, confidence == bar
    return above + tied * (count - above.sum()) / tied.sum()


def automate(score: Scored, people: People, share: float, *, draws: int) -> Automated:
    """Accept the surest share of the claims, and leave the others to people.

    The intervals draw claims anew, the same for the whole and for people alone, and accept the surest share of each
    draw.

    Args:
        score: Of the answers of one model, and which of them are right.
        people: On the same claims.
        share: In (0, 1).
        draws: Bootstrap draws.

    Raises:
        ConfigError: If the share accepts not a single claim, or all.
    """
    sure, right, right_by = np.array(score.confidence), np.array(score.right), people.each_and_mean
    claims = len(sure)
    if not 0 < round(share * claims) < claims:
        raise ConfigError(f"{share:.0%} of {claims} claims leaves nothing to accept or to review: take another share")
    rng = np.random.default_rng(0)
    drawn = [np.arange(claims), *(rng.integers(0, claims, claims) for _ in range(draws))]
    found = np.array([_right_of(sure[one], right[one], right_by[:, one], share) for one in drawn]).T
    of_people = len(right_by)
    accepted, there, whole, gain = np.split(found, [1, 2, 2 + of_people])
    return Automated(
        name=score.name,
        share=share,
        reached=_reached(sure, share),
        accepted=_interval(accepted[0]),
        people_there=float(there[0, 0]),
        whole=tuple(whole[:, 0].tolist()),
        gain=tuple(_interval(one) for one in gain),
    )


def _right_of(sure: Floats, right: NDArray[np.bool_], right_by: Floats, share: float) -> Floats:
    """How right the accepted are, and people on the same; then per reviewer the whole, and it less people alone."""
    accepted = accepted_of(sure, share)
    whole = (accepted * right + (1 - accepted) * right_by).mean(axis=1)
    there = [accepted @ one / accepted.sum() for one in (right, right_by[-1])]
    return np.array([*there, *whole, *(whole - right_by.mean(axis=1))])


def _reached(sure: Floats, share: float) -> tuple[float, float]:
    bar = np.sort(sure)[-round(share * len(sure))]
    above, reaching = (sure > bar).sum(), (sure >= bar).sum()
    met = reaching == round(share * len(sure))
    return float((reaching if met else above) / len(sure)), float(reaching / len(sure))


def _interval(found: Floats) -> Interval:
    """The figure of all claims comes first."""
    low, high = np.quantile(found[1:], [0.025, 0.975])
    return Interval(value=float(found[0]), low=float(low), high=float(high), level=0.95)


def automated_table(scores: Sequence[Scored], people: People, *, draws: int) -> str:
    """One row per score and share, below what people do alone; in Markdown."""
    whom = [*(f"annotator {number}" for number, _ in enumerate(people.right, start=1)), "mean"]
    alone = [f"{one:.3f}" for one in people.each_and_mean.mean(axis=1)]
    rows = [["people alone", "0%", "0%", "-", "-", *alone, *("-" for _ in whom)]]
    rows += [automate(score, people, share, draws=draws).row() for score in scores for share in SHARES]
    head = ["Model, score", "accepted", "bars reach", "right where accepted", "people on the same"]
    return markdown([*head, *(f"whole: {one}" for one in whom), *(f"less people alone: {one}" for one in whom)], rows)
