"""Cases from a file that is read as a whole: one JSON object per line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hitl_prefect.case_lines import BadLine, Common, Read, json_cases
from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Case

__all__ = ["cases_from_jsonl"]

_SHOWN = 10


def cases_from_jsonl(path: str | Path, *, task: str, answer: Any = str, instructions: str = "") -> tuple[Case, ...]:
    """The cases in a file: one JSON object per line, as `hitl_prefect.sources.read_cases` reads it.

    Args:
        path: The file, in UTF-8; empty lines are skipped.
        task: What kind of cases these are, as a slug.
        answer: The type of the answers.
        instructions: The system prompt of all cases.

    Raises:
        ConfigError: If the file cannot be read, a line does not fit, or an id occurs twice; lines are named by number.
    """
    common = Common.of(task, answer, instructions)
    try:
        with Path(path).open("rb") as file:
            read = list(json_cases(file, common))
    except OSError as exc:
        raise ConfigError(f"cannot read cases from {str(path)!r}: {exc}") from exc
    if bad := [*_bad(read), *_twice(read)]:
        more = f"\n... and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise ConfigError(f"{len(bad)} lines of {str(path)!r} do not fit:\n" + "\n".join(bad[:_SHOWN]) + more)
    return tuple(one[1] for one in read if isinstance(one, tuple))


def _bad(read: Iterable[Read]) -> Iterator[str]:
    for one in read:
        if isinstance(one, BadLine):
            yield f"line {one.number}: {'; '.join(one.problems)}"


def _twice(read: Iterable[Read]) -> Iterator[str]:
    first: dict[str, int] = {}
    for one in read:
        if isinstance(one, tuple) and first.setdefault(one[1].id, one[0]) != one[0]:
            yield f"line {one[0]}: id {one[1].id!r} stands in line {first[one[1].id]} too"
