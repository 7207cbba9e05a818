"""Alarms that may be looked at after every case: too much of what is accepted is wrong, or cases have changed.

Both are bets that nobody can win in the long run while all is well: the chance that one ever multiplies its stake by
1 / delta is at most delta, however long it runs and whenever one looks. An alarm is the stake having grown that much.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import Evidence

__all__ = ["Alarm", "audits_of", "monitor_error", "monitor_scores"]

_RATES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""How far from the promised error rate to 1 the rates lie that are bet on."""
_BLOCK = 10
"""Audits between two fresh bets: those that began in good times have lost too much to tell of bad ones soon."""
_JUMP = 0.01
"""The part of the capital that is spread anew over the bettors after each case; as in Vovk et al. (2021)."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What happened, when, and how sure that is."""

    kind: Literal["error", "scores"]
    at: int
    """The place in the sequence, from 0, of the case that raised it."""
    evidence: float
    """What a stake of 1 has become: at least 1 / delta."""


def audits_of(evidence: Iterable[Evidence]) -> list[Evidence]:
    """The audited cases that a person has decided, in the order of their decisions."""
    audited = [one for one in evidence if one.reason == "audit" and one.right is not None]
    return sorted(audited, key=lambda one: (one.decided_at, one.case_id))


def monitor_error(wrong: Iterable[bool], *, max_error: float, delta: float = 0.01) -> Alarm | None:
    """The first moment at which more than `max_error` of what is accepted is provably wrong.

    Bets on six error rates above `max_error`, and anew every ten audits with a smaller part of the stake
    (1 / (b (b + 1)) for the b-th time), so that a change is found soon even after a long good time.

    Args:
        wrong: Whether each audited case was wrong, in order (`audits_of`). Audits are a fair sample of what is
            accepted, as long as each case had the same chance of one.
        max_error: The promised error rate, in (0, 1).
        delta: The chance of a false alarm, over all time, while no case is wrong with more than `max_error`; in (0, 1).

    Returns:
        `None` where there is no such moment.

    Raises:
        ConfigError: If a number is out of its range.

    Source:
        Waudby-Smith, Ramdas (2024), JRSS B 86 (betting on a mean); Shin, Ramdas, Rinaldo (2023), arXiv 2203.03532
        (beginning anew).

    >>> monitor_error([False, False, True, True, True, True], max_error=0.05)
    Alarm(kind='error', at=5, evidence=...)
    >>> monitor_error([False] * 1000, max_error=0.05) is None
    True
    """
    _check(max_error=max_error, delta=delta)
    rates = [max_error + (1 - max_error) * part for part in _RATES]
    stakes, staked = [0.0] * len(rates), 0.0
    for place, one in enumerate(wrong):
        block, within = divmod(place, _BLOCK)
        if not within:
            fresh = 1 / ((block + 1) * (block + 2))
            stakes, staked = [stake + fresh / len(rates) for stake in stakes], staked + fresh
        stakes = [stake * _odds(rate, max_error, one) for stake, rate in zip(stakes, rates, strict=True)]
        if (won := sum(stakes) + 1 - staked) >= 1 / delta:
            return Alarm("error", place, won)
    return None


def _odds(rate: float, promised: float, wrong: bool) -> float:
    """How much likelier what happened is under the rate bet on than under the promised one."""
    return rate / promised if wrong else (1 - rate) / (1 - promised)


def monitor_scores(scores: Iterable[float], *, reference: Sequence[float], delta: float = 0.01) -> Alarm | None:
    """The first moment at which scores provably no longer come as those of the reference did.

    A conformal test martingale: the rank of each score among all that came before it, the reference included, is
    uniform as long as nothing changes. Four bettors stake on ranks that are low, high, far from the middle or near it;
    a little of their capital is spread anew after each case. It needs no label, so that it is quick; it does not see
    that the same scores have become less right, which is what `monitor_error` is for.

    Args:
        scores: The confidences of all cases, accepted or not, in order; each in [0, 1].
        reference: Those of the cases that the bar was found from.
        delta: The chance of a false alarm, over all time, while nothing changes; in (0, 1).

    Returns:
        `None` where there is no such moment.

    Raises:
        ConfigError: If delta is out of its range.

    Source:
        Vovk, Petej, Nouretdinov, Ahlberg, Carlsson, Gammerman (2021), PMLR 152, arXiv 2102.10439 (the simple jumper).

    >>> monitor_scores([0.9, 0.7] * 50, reference=[0.7, 0.9] * 100) is None
    True
    >>> monitor_scores([0.5] * 50, reference=[0.7, 0.9] * 100).at < 20
    True
    """
    _check(delta=delta)
    seen = sorted(reference)
    capital = [1 / len(_BETS)] * len(_BETS)
    for place, score in enumerate(scores):
        rank = _rank(seen, score, place)
        insort(seen, score)
        won = [stake * (1 + _bet(*bet, rank)) for stake, bet in zip(capital, _BETS, strict=True)]
        total = sum(won)
        if total >= 1 / delta:
            return Alarm("scores", place, total)
        capital = [(1 - _JUMP) * stake + _JUMP * total / len(_BETS) for stake in won]
    return None


_BETS: tuple[tuple[Literal["place", "spread"], int], ...] = (("place", 1), ("place", -1), ("spread", 1), ("spread", -1))


def _bet(on: Literal["place", "spread"], sign: int, rank: float) -> float:
    """What is won per stake, in [-1, 1]; nothing on average over ranks that are uniform."""
    return sign * (2 * rank - 1 if on == "place" else abs(4 * rank - 2) - 1)


def _rank(seen: Sequence[float], score: float, place: int) -> float:
    """In (0, 1): the share of those seen that are lower, ties broken by a lot that the place alone decides."""
    lower, upto = bisect_left(seen, score), bisect_right(seen, score)
    lot = (int.from_bytes(sha256(f"rank:{place}".encode()).digest()[:6]) + 0.5) / 2**48
    return (lower + lot * (upto - lower + 1)) / (len(seen) + 1)


def _check(**numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 < number < 1:
            raise ConfigError(f"{name}={number} is out of range: give a number between 0 and 1")
