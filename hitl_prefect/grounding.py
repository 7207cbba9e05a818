"""Grounding: does what the answer names stand in the text that it was drawn from?

Looks at numbers, dates, quotations and capitalised words, which are what answers mostly make up. It does not see a
right value in the wrong field, a conclusion, a paraphrase, a translation, a sign, a unit, a number in words, a time of
day, a name in lower case or at the start of a sentence, a script without capitals, or anything in an image.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from hitl_prefect.figures import dates_in, number, numbers_in, without_dates

__all__ = ["Source", "checked_by_field"]

_QUOTED = re.compile(r'"([^"\n]{1,500})"|“([^”\n]{1,500})”|„([^“”\n]{1,500})[“”]|«([^»\n]{1,500})»|`([^`\n]{1,500})`')
"""Bounded, so that a text of nothing but opening quotes takes no quadratic time."""
_WORD = re.compile(r"[^\W\d_][\w'\u2019]*")
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s|\n")
_JOINED_DIGITS = re.compile(r"(?<=[^\W\d])\d[\d.,]*")
"""Digits inside a word, such as `AB12`: the word is looked for, not the number."""


@dataclass(frozen=True)
class Source:
    """The text that an answer was drawn from, taken apart once."""

    text: str
    words: frozenset[str]
    numbers: frozenset[Decimal]
    dates: frozenset[date]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Source":
        """Read the texts.

        >>> Source.of(["Pay ACME 1,200.50 €."]).checks("Acme got 1200.5, says Bob")
        [True, False]
        """
        text = "\n".join(texts)
        return cls(
            text=_spelled(text),
            words=frozenset(map(_bare, _WORD.findall(text))),
            # Both ways: what spaces part may be one number (`1 234 567`), or the cells of a table.
            numbers=frozenset(
                value for read in (text, text.replace(" ", "  ")) for values in numbers_in(read) for value in values
            ),
            dates=frozenset(day for days in dates_in(text) for day in days),
        )

    def checks(self, value: str | float) -> list[bool]:
        """For each thing that a value names, whether the source has it: the quotations, dates, numbers, names."""
        if not isinstance(value, str):
            return [number(value) in self.numbers]
        unquoted = _QUOTED.sub("|", value)
        undated = without_dates(unquoted)
        quotations = (_spelled("".join(filter(None, found.groups()))) for found in _QUOTED.finditer(value))
        return [
            *(quotation in self.text for quotation in quotations),
            *(not days.isdisjoint(self.dates) for days in dates_in(unquoted)),
            *(not values.isdisjoint(self.numbers) for values in numbers_in(_JOINED_DIGITS.sub("", undated))),
            *(_bare(name) in self.words for name in _names(undated)),
        ]


def _spelled(text: str) -> str:
    return " ".join(text.casefold().split())


def _bare(word: str) -> str:
    """A word without its case and its possessive ending."""
    return re.sub(r"['\u2019]s?$", "", word.casefold())


def _names(text: str) -> Iterator[str]:
    """Capitalised words of two letters or more; where a sentence has words in lower case, without its first."""
    for sentence in _SENTENCE_END.split(text):
        words = _WORD.findall(sentence)
        begins = 1 if any(word[0].islower() for word in words) else 0
        yield from (word for word in words[begins:] if word[0].isupper() and len(word) > 1)


def checked_by_field(answer: JsonValue, source: Source, schema: dict[str, Any]) -> dict[str, list[bool]]:
    """By top-level field what was looked for, and whether the source has it; a bare answer is one field `answer`.

    Args:
        answer: The answer as JSON data.
        source: What it was drawn from.
        schema: The JSON Schema of the answer type: values that it dictates (an enum, a constant) are not looked for.
    """
    kinds = _kinds(schema, schema)
    fields = answer if isinstance(answer, dict) else {"answer": answer}
    inner = {name: _below(kinds, name, schema) if fields is answer else kinds for name in fields}
    found = {
        name: [check for leaf in _leaves(value, inner[name], schema) for check in source.checks(leaf)]
        for name, value in fields.items()
    }
    return {name: checks for name, checks in found.items() if checks}


Kinds = list[dict[str, Any]]
"""The schemas that a value may fit, references and alternatives resolved."""


def _leaves(value: JsonValue, kinds: Kinds, root: dict[str, Any]) -> Iterator[str | float]:
    """The texts and numbers of a value that its schema leaves open."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves(inner, _below(kinds, name, root), root)
        case list():
            for place, inner in enumerate(value):
                yield from _leaves(inner, _below(kinds, place, root), root)
        case bool() | None:
            return
        case _ if not any(value in kind.get("enum", ()) or value == kind.get("const") for kind in kinds):
            yield value


def _below(kinds: Kinds, step: str | int, root: dict[str, Any]) -> Kinds:
    """What a field, or the item of a list at a place, may fit."""
    inner = (_field(kind, step) if isinstance(step, str) else _item(kind, step) for kind in kinds)
    return [kind for schema in inner if isinstance(schema, dict) for kind in _kinds(schema, root)]


def _field(kind: dict[str, Any], name: str) -> Any:
    return kind.get("properties", {}).get(name, kind.get("additionalProperties"))


def _item(kind: dict[str, Any], place: int) -> Any:
    by_place = kind.get("prefixItems", ())
    return by_place[place] if place < len(by_place) else kind.get("items")


def _kinds(schema: dict[str, Any], root: dict[str, Any]) -> Kinds:
    while "$ref" in schema:
        schema = root.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], {})
    branches = [branch for word in ("anyOf", "oneOf", "allOf") for branch in schema.get(word, ())]
    return [schema, *(kind for branch in branches for kind in _kinds(branch, root))]
