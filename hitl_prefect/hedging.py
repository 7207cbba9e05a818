"""Hedging words: the oldest and weakest sign of doubt.

Current models hedge little, and hedge right answers too. It is kept because it needs nothing but the text; it counts
only where a policy names it.
"""

import re

__all__ = ["hedges", "hedging_confidence"]

_HEDGE = re.compile(
    r"\b(?:"
    r"maybe|perhaps|possibly|probably|presumably|supposedly|apparently|seemingly|likely|unlikely|uncertain|unsure|"
    r"unclear|ambiguous|approximately|roughly|guess|guessing|might|could|"
    r"i think|i believe|not sure|not certain|hard to say|it seems|it appears|as far as i know"
    r")\b",
    re.IGNORECASE,
)


def hedges(text: str) -> list[str]:
    """The hedging words and phrases in a text, in order, in lower case.

    >>> hedges("Maybe it is a refund, I am not sure.")
    ['maybe', 'not sure']
    """
    return [found.lower() for found in _HEDGE.findall(text)]


def hedging_confidence(text: str) -> float:
    """1 / (1 + number of hedges): 1 where nothing hedges; in (0, 1].

    >>> hedging_confidence("It is a refund.")
    1.0
    """
    return 1 / (1 + len(hedges(text)))
