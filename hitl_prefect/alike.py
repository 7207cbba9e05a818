"""Which drafts say the same, found in one look at each: every draft has a key, and those of one key are alike."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from pydantic import JsonValue

from hitl_prefect.canonical import sha256_of
from hitl_prefect.scorers.equality import normal

__all__ = ["By", "alike_key", "split_group"]

By = Literal["equal", "same"]
"""`equal`: the very same answer. `same`: the same but for case, spaces and the punctuation at the ends of texts."""

_DIGITS = 12
"""Significant digits by which two numbers are told apart."""

_LARGE = 10**15
"""From here on whole numbers are told apart to the last digit."""

T = TypeVar("T")


def alike_key(answer: JsonValue, by: By) -> str:
    """What all answers that are alike have in common: 64 hex characters.

    Args:
        answer: The answer as JSON data.
        by: How much alike.

    >>> alike_key({"vendor": "ACME ", "total": 3}, "same") == alike_key({"vendor": "Acme.", "total": 3.0}, "same")
    True
    >>> alike_key("Yes", "equal") == alike_key("yes", "equal")
    False
    """
    return sha256_of(_told(answer) if by == "same" else answer)


def _told(value: JsonValue) -> JsonValue:
    """What an answer tells, without how it is spelt."""
    match value:
        case str():
            return normal(value)
        case bool() | None:
            return value
        case int() | float():
            # Plus zero, since there is a zero below zero.
            return float(f"{float(value):.{_DIGITS}g}") + 0.0 if abs(value) < _LARGE else value
        case list():
            return [_told(item) for item in value]
    return {key: _told(item) for key, item in value.items()}


def split_group(members: Iterable[T], *, one_by_one: int, at_most: int) -> tuple[list[T], list[Sequence[T]]]:
    """Who of those that are alike is asked about by itself, and who together.

    Args:
        members: In a lasting order, so that the same members are split in the same way again.
        one_by_one: How many are asked about by themselves.
        at_most: How many one form may answer.

    Returns:
        The first ones, and the rest in groups of at least two; a rest of one is asked about by itself.

    >>> split_group("abcdefgh", one_by_one=2, at_most=3)
    (['a', 'b'], [['c', 'd', 'e'], ['f', 'g', 'h']])
    >>> split_group("abc", one_by_one=2, at_most=3)
    (['a', 'b', 'c'], [])
    """
    ordered = list(members)
    singles, rest = ordered[:one_by_one], ordered[one_by_one:]
    groups: list[Sequence[T]] = [rest[start : start + at_most] for start in range(0, len(rest), at_most)]
    if groups and len(groups[-1]) == 1:
        singles += groups.pop()
    return singles, groups
