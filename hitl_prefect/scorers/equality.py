"""When two answers say the same.

For structured answers, equality field by field is the semantic equivalence that free text needs a model for.
"""

from math import isclose

from pydantic import JsonValue

__all__ = ["normal", "same", "same_by_field"]


def normal(text: str) -> str:
    """Text without what tells no answers apart: case, runs of spaces, and punctuation at the ends of words.

    >>> normal("  The  Answer. ")
    'the answer'
    """
    folded = " ".join(text.casefold().split())
    stripped = folded.strip(" .,;:!?\"'")
    return stripped if any(map(str.isalpha, stripped)) else folded


def same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two answers say the same: texts by their normal form, numbers by value, the rest piece by piece.

    >>> same({"vendor": "ACME", "total": 3}, {"vendor": "Acme.", "total": 3.0})
    True
    """
    match one, other:
        case str(), str():
            return normal(one) == normal(other)
        case bool(), _:
            return one is other
        case _, bool():
            return False
        case float(), float():
            return isclose(one, other, rel_tol=1e-12)
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def same_by_field(one: JsonValue, other: JsonValue, fields: tuple[str, ...] = ()) -> dict[str, bool]:
    """Which top-level fields say the same; a bare answer is one field named `answer`.

    Args:
        one: An answer as JSON data; its fields are looked at.
        other: The answer to hold it against; what it lacks is not the same.
        fields: The fields that count; empty is all.

    >>> same_by_field({"a": 1, "b": 2}, {"a": 1})
    {'a': True, 'b': False}
    """
    if not isinstance(one, dict) or not one:
        return {"answer": same(one, other)}
    theirs = other if isinstance(other, dict) else {}
    return {name: name in one and name in theirs and same(one[name], theirs[name]) for name in fields or one}
