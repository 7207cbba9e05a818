"""What the errors among some cases say about the error rate behind them: exact, and in plain Python.

In plain Python, so that a bar can be found where none of the optional packages is installed.
"""

from math import ceil, exp, lgamma, log, log1p

__all__ = ["chance_of_at_most", "exact_interval", "fewest_without_error"]

_BEYOND = 0.025
"""The probability that a 95% interval leaves out at each end."""
_HALVINGS = 40
"""Each halves what is left of [0, 1]: the ends are exact to 1e-12."""
_NEGLIGIBLE = 1e-18
"""Below this part of the sum a term, and all after it, changes no digit."""


def chance_of_at_most(errors: int, of: int, rate: float) -> float:
    """The probability of at most so many errors where each case is wrong with probability `rate`.

    Args:
        errors: How many at most.
        of: How many cases.
        rate: In (0, 1).

    Returns:
        A probability in [0, 1]; where the true rate is at least `rate` it is an exact p-value.

    >>> round(chance_of_at_most(0, 22, 0.1), 4)
    0.0985
    """
    if errors < 0 or errors >= of:
        return float(errors >= 0)
    if errors >= of * rate:
        return 1 - _tail(of - errors - 1, of, 1 - rate)
    return _tail(errors, of, rate)


def exact_interval(errors: int, of: int) -> tuple[float, float]:
    """The error rates that so many errors leave possible: in at least 95% of samples the true rate is among them.

    Args:
        errors: How many there were.
        of: Among how many cases.

    Returns:
        The lowest and the highest, in [0, 1]; (0, 1) where there are no cases.

    Source:
        Clopper, Pearson (1934), Biometrika 26.

    >>> [round(end, 4) for end in exact_interval(3, 40)]
    [0.0157, 0.2039]
    """
    low = _where(errors - 1, of, 1 - _BEYOND) if errors else 0.0
    high = _where(errors, of, _BEYOND) if errors < of else 1.0
    return low, high


def fewest_without_error(limit: float, delta: float) -> int:
    """How many cases without any error it takes until a rate of `limit` is refuted at level `delta`.

    >>> fewest_without_error(0.05, 0.1), fewest_without_error(0.1, 0.1)
    (45, 22)
    """
    return max(1, ceil(log(delta) / log1p(-limit)))


def _where(errors: int, of: int, chance: float) -> float:
    """The rate at which at most so many errors have that chance: the higher the rate, the smaller it is."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_of_at_most(errors, of, middle) > chance else (low, middle)
    return (low + high) / 2


def _tail(errors: int, of: int, rate: float) -> float:
    """As `chance_of_at_most`, for fewer errors than are expected: each term is smaller than the one before."""
    total = term = exp(_log_chance(errors, of, rate))
    for fewer in range(errors, 0, -1):
        term *= fewer / (of - fewer + 1) * (1 - rate) / rate
        total += term
        if term < _NEGLIGIBLE * total:
            break
    return total


def _log_chance(errors: int, of: int, rate: float) -> float:
    """The log of the probability of exactly so many errors."""
    ways = lgamma(of + 1) - lgamma(errors + 1) - lgamma(of - errors + 1)
    return ways + errors * log(rate) + (of - errors) * log1p(-rate)
