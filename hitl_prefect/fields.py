"""Dotted paths into an answer: `lines.0.total`."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import JsonValue

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.inert import short

__all__ = ["Difference", "differences", "field_at"]


class Difference(NamedTuple):
    """One field that is not the same; empty path: the whole answer."""

    path: str
    before: JsonValue
    after: JsonValue

    def told(self, limit: int) -> str:
        """The change in words, each value cut to about `limit` characters.

        >>> Difference("total", 12, 13).told(60)
        'total: 12 -> 13'
        """
        before, after = (short(json.dumps(value, ensure_ascii=False), limit) for value in (self.before, self.after))
        return f"{self.path or 'answer'}: {before} -> {after}"


def field_at(answer: Any, path: str) -> Any:
    """The value under a path; the answer itself under the empty one.

    Raises:
        KeyError, IndexError, TypeError, ValueError: If there is no such field.

    >>> field_at({"lines": [{"total": 3}]}, "lines.0.total")
    3
    """
    for step in path.split(".") if path else ():
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer


def differences(before: JsonValue, after: JsonValue, path: str = "") -> Iterator[Difference]:
    """What differs, field by field; a list of another length differs as a whole.

    >>> list(differences({"total": 1, "vendor": "a"}, {"total": 2, "vendor": "a"}))
    [Difference(path='total', before=1, after=2)]
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), _below(path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, _below(path, str(index)))
    elif canonical_bytes(before) != canonical_bytes(after):
        yield Difference(path, before, after)


def _below(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
