"""Answers that say the same, gathered; and how much they scatter."""

from collections.abc import Iterable, Sequence
from math import log

from pydantic import JsonValue

from hitl_prefect.scorers.equality import same

__all__ = ["concentration", "gathered", "sizes"]


def gathered(answers: Sequence[JsonValue]) -> list[int]:
    """For each answer the number of its cluster, from 0 in the order of the first of each.

    An answer joins the first cluster whose first answer says the same.

    >>> gathered(["Yes", "no", "yes."])
    [0, 1, 0]
    """
    firsts: list[JsonValue] = []
    numbers: list[int] = []
    for answer in answers:
        found = (number for number, first in enumerate(firsts) if same(first, answer))
        numbers.append(next(found, len(firsts)))
        if numbers[-1] == len(firsts):
            firsts.append(answer)
    return numbers


def sizes(numbers: Sequence[int]) -> list[int]:
    """How many answers each cluster holds.

    >>> sizes([0, 1, 0])
    [2, 1]
    """
    return [numbers.count(number) for number in dict.fromkeys(numbers)]


def concentration(counts: Iterable[int]) -> float:
    """1 - H / ln(n): 1 where all n answers stand in one cluster, 0 where each stands alone; in [0, 1].

    H is the entropy in nats of the shares of the clusters, "discrete semantic entropy".

    Args:
        counts: The sizes of the clusters; at least two answers in all.

    Source:
        Farquhar, Kossen, Kuhn, Gal (2024), Detecting hallucinations in large language models using semantic entropy,
        Nature 630; divided by its largest possible value to be a confidence.

    >>> concentration([2, 2]), concentration([3]), concentration([1, 1])
    (0.5, 1.0, 0.0)
    """
    found = list(counts)
    total = sum(found)
    if len(found) == total:
        return 0.0
    entropy = -sum(count / total * log(count / total) for count in found)
    return min(1.0, max(0.0, 1 - entropy / log(total)))
