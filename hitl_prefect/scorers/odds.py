"""From the likeliest tokens at one place to the odds between two words."""

from collections.abc import Callable
from math import exp

from hitl_prefect.logprobs import bounded
from hitl_prefect.protocols import Token

__all__ = ["Telling", "odds"]

Telling = Callable[[str], bool | None]
"""From the text of a token to yes, no, or neither."""


def odds(token: Token, telling: Telling) -> float | None:
    """The mass of the yes-like tokens, out of the yes-like and the no-like ones; in [0, 1].

    Where the alternatives are not known, all mass but the token's own counts against it.

    Returns:
        `None` where the token itself says neither.

    >>> odds(Token(text="yes", logprob=-0.1, top=(("yes", -0.1), ("no", -50.0))), lambda text: text == "yes")
    1.0
    """
    said = telling(token.text)
    if said is None:
        return None
    if not token.top:
        own = exp(bounded(token.logprob))
        return own if said else 1 - own
    yes = no = 0.0
    for text, logprob in {token.text: token.logprob, **dict(token.top)}.items():
        told = telling(text)
        yes += exp(bounded(logprob)) * (told is True)
        no += exp(bounded(logprob)) * (told is False)
    return yes / (yes + no)
