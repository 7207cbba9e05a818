"""Ways to make an answer wrong in one place, as a model or a hasty person would.

Nothing is drawn at random: the same answer and the same salt make the same mistakes in the same order. Not every one
fits the answer type; whoever wants one that does checks them in order.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import JsonValue

from hitl_prefect.canonical import sha256_of

__all__ = ["mistakes"]

Schema = dict[str, Any]
Steps = tuple[str | int, ...]

_YEAR = re.compile(r"(19|20)\d\d")
_OPPOSITES = (("yes", "no"), ("true", "false"), ("positive", "negative"))
_VERB = re.compile(r"\b(is|are|was|were|has|have|can|will|should|must|may)\b(?! not\b)", re.IGNORECASE)
_NOT = re.compile(r"\b(is|are|was|were|has|have|can|will|should|must|may) not\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_NAME_WORDS = 4
"""Text of at most so many words is a name rather than a sentence."""


class _Leaf(NamedTuple):
    """One value that holds no others."""

    steps: Steps
    schema: Schema
    value: str | bool | int | float


def mistakes(answer: JsonValue, schema: Schema, salt: str) -> Iterator[JsonValue]:
    """The answer with one value made wrong; another member, number, date or digit before another sentence.

    Args:
        answer: JSON data of the answer type.
        schema: The JSON schema of that type, as pydantic makes it.
        salt: What decides which field comes first, such as the id of the case.
    """
    found = sorted(
        _leaves(answer, schema, schema.get("$defs", {}), ()),
        key=lambda leaf: (_is_prose(leaf), sha256_of([salt, *leaf.steps])),
    )
    for leaf in found:
        for wrong in _wrong(leaf, salt):
            if wrong != leaf.value:
                yield _replaced(answer, leaf.steps, wrong)


def _leaves(value: JsonValue, schema: Schema, known: Schema, steps: Steps) -> Iterator[_Leaf]:
    for node in _options(schema, known):
        if isinstance(value, dict):
            fields, others = node.get("properties", {}), node.get("additionalProperties")
            for name, inner in value.items():
                below = fields.get(name, others if isinstance(others, dict) else {})
                yield from _leaves(inner, below, known, (*steps, name))
        elif isinstance(value, list):
            # A set has no order, so that none of its members has a place of its own.
            if not node.get("uniqueItems"):
                yield from _items(value, node, known, steps)
        elif value is not None:
            yield _Leaf(steps, node, value)


def _items(values: list[JsonValue], node: Schema, known: Schema, steps: Steps) -> Iterator[_Leaf]:
    first = node.get("prefixItems", [])
    for index, inner in enumerate(values):
        below = first[index] if index < len(first) else node.get("items", {})
        yield from _leaves(inner, below if isinstance(below, dict) else {}, known, (*steps, index))


def _options(schema: Schema, known: Schema) -> Iterator[Schema]:
    """The schema itself, or each side of a union: what fits none of them is found out later, by the type itself."""
    if "$ref" in schema:
        yield from _options(known.get(schema["$ref"].rpartition("/")[2], {}), known)
    elif sides := schema.get("anyOf", schema.get("oneOf")):
        for side in sides:
            yield from _options(side, known)
    elif schema.get("type") != "null":
        yield schema


def _wrong(leaf: _Leaf, salt: str) -> Iterator[JsonValue]:
    """What this value could be instead, the best mistake first."""
    value, schema = leaf.value, leaf.schema
    if "const" in schema:
        return
    if "enum" in schema:
        yield from sorted(schema["enum"], key=lambda member: sha256_of([salt, member]))
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from _other_numbers(value, schema)
    else:
        yield from _other_texts(value, schema)


def _other_numbers(value: float, schema: Schema) -> Iterator[JsonValue]:
    """The leading digit first, then smaller ones, for a number near its bounds."""
    number = Decimal(str(value))
    if not number.is_finite():
        return
    leading = Decimal(1).scaleb(number.adjusted() if number else 0)
    steps = [leading.scaleb(-down) for down in range(4)]
    if (multiple := schema.get("multipleOf")) is not None:
        steps.insert(0, Decimal(str(multiple)))
    for step in steps:
        for moved in (number + step, number - step):
            if isinstance(value, float):
                yield float(moved)
            elif moved == moved.to_integral_value():
                yield int(moved)


def _other_texts(value: str, schema: Schema) -> Iterator[JsonValue]:
    if schema.get("format") in ("date", "date-time"):
        yield from _other_days(value)
    for pair in _OPPOSITES:
        if (folded := value.casefold()) in pair:
            yield _in_the_case_of(value, pair[1 - pair.index(folded)])
    if re.search(r"\d", value, re.ASCII):
        yield _other_digit(value)
    elif len(value.split()) <= _NAME_WORDS:
        yield from _misspelt(value)
    else:
        yield from _other_words(value)


def _other_days(value: str) -> Iterator[str]:
    kind = date if len(value) == len("2026-01-31") else datetime
    try:
        day = kind.fromisoformat(value)
        moved = [(day + timedelta(days=days)).isoformat() for days in (7, -7, 1, -1)]
    except (ValueError, OverflowError):
        return
    yield from (one.replace("+00:00", "Z") if value.endswith("Z") else one for one in moved)


def _other_digit(value: str) -> str:
    """The leading digit of the first number; of a year the last one."""
    found = re.search(r"\d+", value, re.ASCII)
    digits = found.group() if found else ""
    start = found.start() if found else 0
    place = (
        len(digits) - 1 if _YEAR.fullmatch(digits) or not digits.strip("0") else len(digits) - len(digits.lstrip("0"))
    )
    at = start + place
    return f"{value[:at]}{int(value[at]) % 9 + 1}{value[at + 1 :]}"


def _other_words(value: str) -> Iterator[str]:
    """A sentence turned into its opposite, or left out."""
    if _NOT.search(value):
        yield _NOT.sub(r"\1", value, count=1)
    if _VERB.search(value):
        yield _VERB.sub(r"\1 not", value, count=1)
    sentences = _SENTENCE_END.split(value)
    if len(sentences) > 1:
        yield " ".join(sentences[:-1])


def _misspelt(value: str) -> Iterator[str]:
    """Two neighbours swapped, inside the word rather than at its start."""
    pairs = range(len(value) - 1)
    for at in sorted(pairs, key=lambda at: at == 0 or not value[at - 1].isalpha()):
        one, other = value[at], value[at + 1]
        if one.isalpha() and other.isalpha() and one.casefold() != other.casefold():
            yield f"{value[:at]}{other}{one}{value[at + 2 :]}"
            return


def _in_the_case_of(pattern: str, word: str) -> str:
    return word.upper() if pattern.isupper() else word.capitalize() if pattern[:1].isupper() else word


def _is_prose(leaf: _Leaf) -> bool:
    """Whether only words could be made wrong, which a reader may pass over with good reason."""
    plain_text = isinstance(leaf.value, str) and not leaf.schema.keys() & {"enum", "format"}
    return plain_text and not re.search(r"\d", str(leaf.value), re.ASCII)


def _replaced(answer: JsonValue, steps: Steps, wrong: JsonValue) -> JsonValue:
    if not steps:
        return wrong
    changed = deepcopy(answer)
    inner: Any = changed
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = wrong
    return changed
