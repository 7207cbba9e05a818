"""Token log probabilities, boiled down to a few numbers, of which one per field of the answer.

Places are counted in bytes: a token may hold half a character, but its bytes are always whole.

Source: length-normalised and minimum token probability as in Kadavath et al. (2022), arXiv 2207.05221, and
Malinin and Gales (2021), ICLR; for a label, the probability of the token that decides it is the best cheap signal.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from json import JSONDecodeError, JSONDecoder
from math import exp

from hitl_prefect.models import LogprobSummary
from hitl_prefect.protocols import Token

__all__ = ["bounded", "deciding", "spelling", "summarise"]

_FLOOR = -50.0
"""Below this a log probability says only 'very unlikely'; OpenAI sends -9999.0 as that sentinel."""


def bounded(logprob: float) -> float:
    """The log probability, held to [-50, 0]; what is no number counts as -50.

    >>> bounded(-9999.0)
    -50.0
    """
    return min(0.0, max(_FLOOR, logprob))


def spelling(tokens: Sequence[Token], text: str) -> tuple[Token, ...]:
    """The tokens that spell a text; none where they spell another one.

    Some servers list the tokens of a model's thoughts before those of its reply, or a stop token after them.

    >>> thought = Token(text="<think>no</think>", logprob=0.0)
    >>> spelling([thought, Token(text="yes", logprob=-0.5)], "yes")
    (Token(text='yes', logprob=-0.5, utf8=None, top=()),)
    """
    written = [_utf8(token) for token in tokens]
    wanted, joined = text.strip().encode("utf-8", "replace"), b"".join(written)
    start = joined.rfind(wanted)
    if not wanted or start < 0:
        return ()
    ends = list(accumulate(map(len, written)))
    return tuple(tokens[bisect_right(ends, start) : bisect_left(ends, start + len(wanted)) + 1])


def summarise(tokens: Sequence[Token], *, skip: frozenset[str] = frozenset()) -> LogprobSummary | None:
    """Mean, minimum, decision and per-field probability of a reply.

    Args:
        tokens: The tokens of the reply, in order; log probabilities are at most 0.
        skip: Names of top-level fields that are not part of the answer, such as the stated confidence.

    Returns:
        Probabilities in [0, 1], or `None` where there are no tokens.

    >>> summarise([Token(text='{"a": "', logprob=-9.0), Token(text='yes"}', logprob=0.0)]).fields
    {'a': 1.0}
    """
    if not tokens:
        return None
    logprobs = [bounded(token.logprob) for token in tokens]
    values = [value for value in _values(tokens) if value.field not in skip]
    firsts = [logprobs[value.first] for value in values if value.first is not None]
    return LogprobSummary(
        mean=exp(sum(logprobs) / len(logprobs)),
        minimum=exp(min(logprobs)),
        decision=exp(min(firsts)) if firsts else None,
        fields=_by_field(values, logprobs),
        tokens=len(tokens),
    )


def deciding(tokens: Sequence[Token], field: str) -> Token | None:
    """The token with which the value of a top-level field begins; `None` where it could not be found.

    >>> deciding([Token(text='{"a": "', logprob=-9.0), Token(text='yes"}', logprob=-0.5)], "a").text
    'yes"}'
    """
    firsts = (value.first for value in _values(tokens) if value.field == field)
    return next((tokens[first] for first in firsts if first is not None), None)


def _by_field(values: Sequence["_Value"], logprobs: Sequence[float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for value in values:
        lowest = min(exp(logprobs[token]) for token in value.tokens)
        found[value.field] = min(found.get(value.field, 1.0), lowest)
    return found


@dataclass(frozen=True)
class _Value:
    field: str
    """The top-level field that it stands in."""
    tokens: tuple[int, ...]
    """The numbers of the tokens that overlap it, in order; at least one."""
    first: int | None
    """The token that holds its first character past an opening quote; `None` for an empty object or list."""


def _values(tokens: Sequence[Token]) -> list[_Value]:
    """The values of the JSON object that the tokens spell, in order."""
    written = [_utf8(token) for token in tokens]
    # surrogateescape: bytes that are no UTF-8 keep their number, and so the places of all that follows.
    text = b"".join(written).decode("utf-8", "surrogateescape")
    spans = _spans(text)
    if not spans:
        return []
    places = [0, *accumulate(len(character.encode("utf-8", "surrogateescape")) for character in text)]
    ends = list(accumulate(map(len, written)))

    def overlapping(start: int, end: int) -> tuple[int, ...]:
        reach = range(bisect_right(ends, places[start]), bisect_left(ends, places[end]) + 1)
        return tuple(number for number in reach if written[number])

    def first(span: _Span) -> int | None:
        return None if span.decides is None else overlapping(span.decides, span.decides + 1)[0]

    return [_Value(span.field, overlapping(span.start, span.end), first(span)) for span in spans]


def _utf8(token: Token) -> bytes:
    return bytes(token.utf8) if token.utf8 is not None else token.text.encode("utf-8", "replace")


@dataclass(frozen=True)
class _Span:
    field: str
    start: int
    end: int
    decides: int | None
    """Its first character past an opening quote; `None` for an empty object or list."""


_DECODER = JSONDecoder()


def _spans(text: str) -> list[_Span]:
    """Where each value of the first JSON object in `text` stands; nothing where there is none."""
    opening = text.find("{")
    try:
        return list(_walk(text, opening, None)) if opening >= 0 else []
    except (JSONDecodeError, IndexError, RecursionError):
        return []


def _walk(text: str, at: int, field: str | None) -> Iterator[_Span]:
    """Every scalar, empty object and empty list of the JSON value that begins at `at`."""
    inner = _past_space(text, at + 1) if text[at] in "{[" else at
    keys: set[str] = set()
    if inner == at or text[inner] in "}]":
        if field is not None:
            yield _span(text, at, field)
        return
    while text[inner] not in "}]":
        name = field
        if text[at] == "{":
            key, inner = _key(text, inner)
            if key in keys:
                raise JSONDecodeError("a key is there twice, and only the last one counts", text, inner)
            keys.add(key)
            name = key if field is None else field
        yield from _walk(text, inner, name)
        inner = _past_space(text, _DECODER.raw_decode(text, inner)[1])
        inner = _past_space(text, inner + (text[inner] == ","))


def _key(text: str, at: int) -> tuple[str, int]:
    """A key, and where its value begins."""
    if text[at] != '"':
        raise JSONDecodeError("a key is no text", text, at)
    key, at = _DECODER.raw_decode(text, at)
    return key, _past_space(text, _past_space(text, at) + 1)


def _span(text: str, start: int, field: str) -> _Span:
    """The quotes around a text are not the value, unless there is nothing between them."""
    end = _DECODER.raw_decode(text, start)[1]
    text_value = text[start] == '"'
    quoted = text_value and end - start > 2
    decides = None if text[start] in "{[" else start + text_value
    return _Span(field, start + quoted, end - quoted, decides)


def _past_space(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at
