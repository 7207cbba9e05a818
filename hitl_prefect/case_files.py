"""Cases from a file: one JSON object per line."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, CaseId

__all__ = ["cases_from_jsonl"]

_SHOWN = 10


class _Line(Frozen):
    id: CaseId
    prompt: str = Field(min_length=1)
    metadata: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


def cases_from_jsonl(path: str | Path, *, task: str, answer: Any = str, instructions: str = "") -> tuple[Case, ...]:
    """The cases in a file: one JSON object per line, with `id`, `prompt` and, if you like, `metadata`.

    Args:
        path: The file, in UTF-8; empty lines are skipped.
        task: What kind of cases these are, as a slug.
        answer: The type of the answers.
        instructions: The system prompt of all cases.

    Raises:
        ConfigError: If the file cannot be read, a line does not fit, or an id occurs twice; lines are named by number.
    """
    system = (Message(role="system", content=instructions),) if instructions else ()
    lines = _lines(path)
    return tuple(
        Case(
            id=one.id,
            task=task,
            prompt=(*system, Message(role="user", content=one.prompt)),
            answer=answer,
            metadata=one.metadata,
        )
        for one in lines
    )


def _lines(path: str | Path) -> list[_Line]:
    try:
        texts = Path(path).read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read cases from {str(path)!r}: {exc}") from exc
    lines: dict[int, _Line] = {}
    bad: list[str] = []
    for number, text in enumerate(texts, 1):
        if text.strip():
            try:
                lines[number] = _Line.model_validate_json(text)
            except ValidationError as exc:
                bad.append(f"line {number}: {'; '.join(problems_of(exc))}")
    bad += _twice(lines)
    if bad:
        more = f"\n... and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise ConfigError(f"{len(bad)} lines of {str(path)!r} do not fit:\n" + "\n".join(bad[:_SHOWN]) + more)
    return list(lines.values())


def _twice(lines: dict[int, _Line]) -> list[str]:
    first: dict[str, int] = {}
    return [
        f"line {number}: id {line.id!r} stands in line {first[line.id]} too"
        for number, line in lines.items()
        if first.setdefault(line.id, number) != number
    ]
