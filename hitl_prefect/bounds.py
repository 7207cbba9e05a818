"""How much a person may type, and of what kind: the same through every door.

Prefect takes 50 MB and more. Ten million characters in one field made a form of 10 MB, an outcome of 30 MB and a flow
run of 6 s; 250 objects inside each other ended the flow run.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from hitl_prefect.inert import cut

__all__ = ["MAX_DEPTH", "MAX_TYPED_BYTES", "out_of_bounds", "unfit", "walk", "within_bounds"]

MAX_TYPED_BYTES = 1_000_000
"""What one answer may hold, as JSON in UTF-8, all fields together."""
MAX_DEPTH = 64
"""How many lists and objects may stand inside each other."""

_KEPT_BYTES = 10_000
"""Of an answer out of bounds, entries up to this size are kept whole."""
_KEPT_CHARACTERS = 2_000
"""And of the others, this many characters."""


def out_of_bounds(typed: dict[str, Any]) -> tuple[str, ...]:
    """What of an answer is too much or no JSON, whatever its form says: one sentence per entry, the entry first.

    >>> out_of_bounds({"answer": {"total": float("nan")}})
    ('answer: NaN and infinity are no numbers that JSON can say; give a number',)
    """
    errors = [f"{name}: {why}" for name, value in typed.items() if (why := unfit(value))]
    if errors:
        return tuple(errors)
    sizes = {name: _size(value) for name, value in typed.items()}
    if sum(sizes.values()) <= MAX_TYPED_BYTES:
        return ()
    largest = max(sizes, key=lambda name: sizes[name])
    return (f"{largest}: {sum(sizes.values()):,} bytes are too many, at most {MAX_TYPED_BYTES:,}; shorten it",)


def within_bounds(typed: dict[str, Any]) -> JsonValue:
    """What is kept of an answer: all of it where it is within bounds, else the beginning of what is not, under `cut`.

    >>> within_bounds({"decision": "edit", "answer": float("inf")})
    {'decision': 'edit', 'cut': {'answer': 'Infinity'}}
    """
    if not out_of_bounds(typed):
        return typed
    fits = {name: not unfit(value) and _size(value) <= _KEPT_BYTES for name, value in typed.items()}
    whole = {name: value for name, value in typed.items() if fits[name]}
    begun = {name: _beginning(value) for name, value in typed.items() if not fits[name]}
    return {**whole, "cut": begun}


def unfit(value: Any) -> str:
    """Why a value is no JSON, or too deep to be kept; empty where it is fine."""
    for inner, depth in walk(value):
        if depth > MAX_DEPTH:
            return f"more than {MAX_DEPTH} lists and objects stand inside each other; make it flatter"
        if isinstance(inner, float) and not math.isfinite(inner):
            return "NaN and infinity are no numbers that JSON can say; give a number"
        if isinstance(inner, str) and not _is_text(inner):
            return "half a character (a lone surrogate) is no text; type it again"
    return ""


def walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Every value and key with its depth; no recursion, since depth is what is looked for."""
    todo = [(value, 1)]
    while todo:
        inner, depth = todo.pop()
        yield inner, depth
        if isinstance(inner, dict):
            todo += [(one, depth + 1) for one in (*inner.keys(), *inner.values())]
        elif isinstance(inner, list):
            todo += [(one, depth + 1) for one in inner]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _beginning(value: Any) -> str:
    try:
        text = value if isinstance(value, str) and _is_text(value) else json.dumps(value)
    except RecursionError:
        return "(too many lists and objects inside each other to be written out)"
    return cut(text, _KEPT_CHARACTERS)
