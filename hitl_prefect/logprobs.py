"""Token log probabilities, boiled down to three numbers.

Source: length-normalised and minimum token probability as in Kadavath et al. (2022), arXiv 2207.05221, and
Malinin and Gales (2021), ICLR; for a label, the probability of the token that decides it is the best cheap signal.
"""

from collections.abc import Iterator, Sequence
from json import JSONDecodeError, JSONDecoder
from math import exp

from hitl_prefect.models import LogprobSummary
from hitl_prefect.protocols import Token

__all__ = ["summarise"]

_FLOOR = -50.0
"""Below this a log probability says only 'very unlikely'; OpenAI sends -9999.0 as that sentinel."""


def summarise(tokens: Sequence[Token], *, skip: frozenset[str] = frozenset()) -> LogprobSummary | None:
    """Mean, minimum and decision probability of a reply.

    Args:
        tokens: The tokens of the reply, in order; log probabilities are at most 0.
        skip: Names of top-level fields that are not part of the answer, such as the stated confidence.

    Returns:
        Probabilities in [0, 1], or `None` where there are no tokens.

    >>> summarise([Token(text="yes", logprob=0.0)]).mean
    1.0
    """
    if not tokens:
        return None
    logprobs = [min(0.0, max(_FLOOR, token.logprob)) for token in tokens]
    return LogprobSummary(
        mean=exp(sum(logprobs) / len(logprobs)),
        minimum=exp(min(logprobs)),
        decision=_decision(tokens, logprobs, skip),
        tokens=len(tokens),
    )


def _decision(tokens: Sequence[Token], logprobs: Sequence[float], skip: frozenset[str]) -> float | None:
    """The least likely of the tokens that begin a value of the answer."""
    # surrogateescape: bytes that are no UTF-8 keep their number, and so the places of all that follows.
    text = b"".join(_utf8(token) for token in tokens).decode("utf-8", "surrogateescape")
    starts = [len(text[:start].encode("utf-8", "surrogateescape")) for start in _value_starts(text, skip)]
    ends: list[int] = []
    for token in tokens:
        ends.append((ends[-1] if ends else 0) + len(_utf8(token)))
    first = [next((i for i, end in enumerate(ends) if start < end), None) for start in starts]
    found = [logprobs[i] for i in first if i is not None]
    return exp(min(found)) if found else None


def _utf8(token: Token) -> bytes:
    return bytes(token.utf8) if token.utf8 is not None else token.text.encode("utf-8", "replace")


def _value_starts(text: str, skip: frozenset[str]) -> list[int]:
    """Where each scalar value of the JSON object in `text` begins, past its opening quote."""
    opening = text.find("{")
    if opening < 0:
        return []
    try:
        return [start for key, start in _walk(text, opening, "") if key not in skip]
    except (JSONDecodeError, IndexError, RecursionError):
        return []


def _walk(text: str, at: int, top: str) -> Iterator[tuple[str, int]]:
    """Yield (top-level key, start) of every scalar in the JSON value that begins at `at`."""
    if text[at] not in "{[":
        yield top, at + (text[at] == '"')
        return
    is_object, at = text[at] == "{", _past_space(text, at + 1)
    while text[at] not in "}]":
        key = top
        if is_object:
            name, at = _DECODER.raw_decode(text, at)
            key, at = top or name, _past_space(text, _past_space(text, at) + 1)
        yield from _walk(text, at, key)
        at = _past_space(text, _DECODER.raw_decode(text, at)[1])
        at = _past_space(text, at + (text[at] == ","))


_DECODER = JSONDecoder()


def _past_space(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at
