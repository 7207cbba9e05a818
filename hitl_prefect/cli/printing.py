"""What commands print: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from hitl_prefect.inert import visible, visible_json

if TYPE_CHECKING:
    from hitl_prefect.reading import Unreadable

__all__ = [
    "AsJson",
    "one_line",
    "print_json",
    "progress",
    "say",
    "say_aside",
    "say_markdown",
    "say_unreadable",
    "table",
    "write",
]

AsJson = Annotated[bool, Parameter(name="--json", negative=())]
"""Print JSON instead of text for people."""


def say(text: str = "") -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_markdown(text: str) -> None:
    """Print markdown: as it reads at a terminal, as it stands elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        say(text)


def say_aside(text: str = "") -> None:
    """Print a line where it does not mix with JSON."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_unreadable(broken: "Iterable[Unreadable]") -> None:
    """Name what of a store could not be read, aside."""
    for one in broken:
        say_aside(f"{visible(one.key)}: {visible(one.problem)}")


def write(text: str, *, aside: bool = False) -> None:
    """Print text without ending the line."""
    target = sys.stderr if aside else sys.stdout
    target.write(text)
    target.flush()


def print_json(value: BaseModel | Sequence[BaseModel] | Mapping[str, Any]) -> None:
    """Print a value as indented JSON; what a terminal would obey, and not show, is written as JSON's own escapes."""
    say(visible_json(_json(value)))


def _json(value: BaseModel | Sequence[BaseModel] | Mapping[str, Any]) -> str:
    try:
        return to_json(value, indent=2).decode()
    except PydanticSerializationError:
        # The name of a file that somebody put into a store may be no UTF-8: its bytes are escaped as Python has them.
        return json.dumps(to_jsonable_python(value), indent=2)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A line that tells how far long work has come, at a terminal; it is wiped away at the end.

    >>> with progress("outcomes") as told:
    ...     told is None or sys.stderr.isatty()
    True
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        yield lambda done, of: write(f"\r{done:,} of {of:,} {what}", aside=True)
    finally:
        write("\r\x1b[K", aside=True)


def one_line(text: str) -> str:
    r"""Text that somebody else wrote as one line, which forges none below it.

    >>> print(one_line("c1\n0 findings.\x1b[2J"))
    c1\n0 findings.\x1b[2J
    """
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def table(rows: Sequence[Mapping[str, object]]) -> str:
    r"""Rows as aligned columns under their names; no line is cut, and a line break is written out.

    >>> print(table([{"case": "c1", "who": "ada"}, {"case": "c2", "who": "eve\nbob"}]))
    CASE  WHO
    c1    ada
    c2    eve\nbob
    """
    names = list(rows[0]) if rows else []
    lines = [[name.upper() for name in names], *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else one_line(str(value))
