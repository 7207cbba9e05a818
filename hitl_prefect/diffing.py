"""What became different from one attempt to the next, as text for a person: by field, by line or by word.

The text is not inert yet: whoever shows it puts it behind `inert.fence`.
"""

import json
from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from itertools import islice

from pydantic import JsonValue

from hitl_prefect.fields import Difference, differences
from hitl_prefect.inert import cut, folded

__all__ = ["changes"]

_WIDTH = 64
"""Characters of a line beside its mark and its indent; the form is about 70 wide."""
_LONGEST = 4_000
"""Characters of one value; the middle of a longer one is left out."""
_FIELDS = 50
"""More changed fields than a person compares one by one."""


def changes(before: JsonValue, after: JsonValue) -> str:
    r"""What differs, at most 70 characters wide where the words allow it; empty where nothing does.

    Args:
        before: The earlier answer.
        after: The later one. Two texts are compared by words, or by lines where they have several; two objects or
            lists field by field, a list of another length as a whole.

    >>> print(changes({"vendor": "ACME", "total": 12.5}, {"vendor": "ACME", "total": 13}))
    total
    - 12.5
    + 13
    >>> print(changes("Dear Ada, thank you.", "Dear Eve, thank you."))
    Dear [-Ada,-] {+Eve,+} thank you.
    """
    found = list(differences(before, after))
    shown = [_shown(one) for one in found[:_FIELDS]]
    if len(found) > _FIELDS:
        shown.append(f"[... {len(found) - _FIELDS:,} more fields differ ...]")
    return "\n\n".join(shown)


def _shown(one: Difference) -> str:
    named = [folded(one.path, _WIDTH)] if one.path else []
    return "\n".join([*named, *_compared(one.before, one.after)])


def _compared(before: JsonValue, after: JsonValue) -> list[str]:
    if isinstance(before, str) and isinstance(after, str) and before and after:
        return _texts(cut(before, _LONGEST), cut(after, _LONGEST))
    return [*(f"- {line}" for line in _text(before)), *(f"+ {line}" for line in _text(after))]


def _texts(before: str, after: str) -> list[str]:
    if "\n" not in before + after and before.split() != after.split():
        return [_words(before.split(), after.split())]
    return list(_lines(before, after)) or ["[only spacing differs, or the part that is hidden here]"]


def _lines(before: str, after: str) -> Iterator[str]:
    old, new = (folded(text, _WIDTH).split("\n") for text in (before, after))
    for line in islice(unified_diff(old, new, n=1, lineterm=""), 2, None):
        yield "..." if line.startswith("@@") else f"{line[0]} {line[1:]}"


def _words(before: list[str], after: list[str]) -> str:
    """As `git diff --word-diff` writes it."""
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return folded(" ".join(_step(kind, before[a:b], after[c:d]) for kind, a, b, c, d in steps), _WIDTH)


def _step(kind: str, old: list[str], new: list[str]) -> str:
    if kind == "equal":
        return " ".join(old)
    gone, come = f"[-{' '.join(old)}-]" if old else "", f"{{+{' '.join(new)}+}}" if new else ""
    return " ".join(part for part in (gone, come) if part)


def _text(value: JsonValue) -> list[str]:
    text = value if isinstance(value, str) and value else json.dumps(value, indent=2, ensure_ascii=False)
    return folded(cut(text, _LONGEST), _WIDTH).split("\n")
