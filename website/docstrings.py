"""How docstrings are read for the reference: a twin has what its async twin says, and doctests are examples."""

import re
from collections.abc import Iterator
from typing import Any

from griffe import Extension, Function, GriffeLoader, Module, Object

__all__ = ["Docstrings"]

_TWIN = re.compile(r"The same as `(a\w+)`, (?:for a flow that is not async|where no event loop runs)\.")
_DOCTEST = re.compile(r"\n\n(?=>>> )")


class Docstrings(Extension):
    """Changes docstrings after the package was read, and before they are parsed."""

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **_: Any) -> None:  # noqa: ARG002 - griffe names it
        """Change each docstring of a package that needs it."""
        for found in _objects(pkg):
            if found.docstring is None:
                continue
            if isinstance(found, Function):
                _tell_in_full(found)
            found.docstring.value = with_examples(found.docstring.value)


def with_examples(text: str) -> str:
    r"""The docstring with the doctests at its end as a section of their own, which Markdown would take for quotations.

    >>> with_examples("One.\n\n>>> 1\n1")
    'One.\n\nExamples:\n    >>> 1\n    1'
    """
    told, *examples = _DOCTEST.split(text, maxsplit=1)
    return "\n\nExamples:\n    ".join([told, *(one.replace("\n", "\n    ") for one in examples)])


def _tell_in_full(function: Function) -> None:
    named = _TWIN.fullmatch(function.docstring.value.strip())
    twin = function.parent.members.get(named[1]) if named else None
    if twin is None or twin.docstring is None:
        return
    first, _, rest = twin.docstring.value.partition("\n")
    function.docstring.value = f"{first}\n\nIn async code: `await {named[1]}(...)`.\n{rest}"


def _objects(parent: Object) -> Iterator[Object]:
    yield parent
    for member in parent.members.values():
        if not member.is_alias:
            yield from _objects(member)
