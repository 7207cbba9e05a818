"""Cases as the lines of a file tell them, and what is said of a line that tells none."""

import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, BinaryIO, NamedTuple, Self

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError, from_json

from hitl_prefect.answers import problems_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import short
from hitl_prefect.messages import Image, Message, conversation
from hitl_prefect.models import Case, CaseId, TaskName, as_slug

__all__ = ["LONGEST_BYTES", "SHOWN", "BadLine", "Common", "Line", "Read", "json_cases", "lines_of"]

LONGEST_BYTES = 10_000_000
"""What a line may have; the rest of a longer one is skipped, so that memory stays flat."""

SHOWN = 2_000
"""About how many characters of a bad line are kept."""


class BadLine(Frozen):
    """A line, row or element of a source that tells no case."""

    number: int = Field(ge=1)
    """The line of the file where it begins, or the row or element; from 1."""
    text: str
    """What stands there, at most about 2,000 characters, to the letter: show it through `hitl_prefect.inert`."""
    problems: tuple[str, ...]
    """What is wrong, the field first; a field's name may be the file's own words."""

    @classmethod
    def of(cls, number: int, shown: object, *problems: str) -> Self:
        """A bad line with its text cut to size; what is no text is shown as Python writes it."""
        text = shown if isinstance(shown, str) else repr(shown)
        return cls(number=number, text=_utf8(short(text, SHOWN)), problems=tuple(map(_utf8, problems)))


def _utf8(text: str) -> str:
    """Lone surrogates, which no file could hold, written out."""
    return text.encode("utf-8", "backslashreplace").decode()


Read = tuple[int, Case] | BadLine
"""What a source gives: the number and the case, or what is wrong."""


class Line(NamedTuple):
    """A line of a file, as text."""

    number: int
    text: str
    """The line with its end; bytes that are no UTF-8 are written out."""
    problem: str = ""
    """Why it cannot be read: too long, or no UTF-8."""
    whole: bool = True
    """Whether `text` is all of it."""


def lines_of(file: BinaryIO) -> Iterator[Line]:
    """The lines of a file in UTF-8, one at a time; a byte order mark is left out."""
    number = 0
    while raw := file.readline(LONGEST_BYTES + 1):
        number += 1
        yield _line(number, raw.removeprefix(BOM_UTF8) if number == 1 else raw)
        if len(raw) > LONGEST_BYTES:
            _skip_the_rest(file, raw)


def _line(number: int, raw: bytes) -> Line:
    if len(raw) > LONGEST_BYTES:
        beginning = raw[:SHOWN].decode("utf-8", "backslashreplace")
        return Line(number, beginning, f"line: longer than {LONGEST_BYTES:,} bytes", whole=False)
    try:
        return Line(number, raw.decode())
    except UnicodeDecodeError as exc:
        return Line(number, raw.decode("utf-8", "backslashreplace"), f"line: no UTF-8 at byte {exc.start + 1}")


def _skip_the_rest(file: BinaryIO, piece: bytes) -> None:
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(1 << 16)


def _fact(value: Any) -> Any:
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise PydanticCustomError("fact", "Input should be a text, a finite number, true, false or null")


class _CaseLine(Frozen):
    id: CaseId
    prompt: str | None = Field(default=None, min_length=1)
    messages: tuple[Message, ...] | None = Field(default=None, min_length=1, validate_default=True)
    metadata: dict[str, Annotated[str | int | float | bool | None, BeforeValidator(_fact)]] = Field(
        default_factory=dict
    )
    requester: str | None = Field(default=None, min_length=1)

    @field_validator("messages", mode="after")
    @classmethod
    def _one_of_both(cls, value: tuple[Message, ...] | None, info: ValidationInfo) -> tuple[Message, ...] | None:
        if "prompt" in info.data and (info.data["prompt"] is None) is (value is None):
            raise PydanticCustomError("prompt", "Input should be a prompt or messages: one of both, not both")
        return value


class Common(Frozen):
    """What all cases of a source have in common."""

    task: TaskName
    answer: Any = Field(default=str, exclude=True, repr=False)
    """The type of the answers. Not stored."""
    instructions: tuple[Message, ...] = ()
    """What stands in front of every conversation."""

    @classmethod
    def of(cls, task: str, answer: Any = str, instructions: str = "") -> Self:
        """All of it, checked before anything is read.

        Raises:
            ConfigError: If the task is no slug.
        """
        system = (Message(role="system", content=instructions),) if instructions else ()
        try:
            return cls(task=task, answer=answer, instructions=system)
        except ValidationError as exc:
            raise ConfigError(f"{task!r} is no task: a task is a slug such as {as_slug(task)!r}") from exc

    def read(self, number: int, fields: Mapping[str, Any], shown: object) -> Read:
        """The case that the fields of a line tell; `shown` is what stands there, for people."""
        try:
            case = self._case(_CaseLine.model_validate(dict(fields)))
        except ValidationError as exc:
            return BadLine.of(number, shown, *problems_of(exc))
        problems = tuple(_astray(case.messages))
        return BadLine.of(number, shown, *problems) if problems else (number, case)

    def adopted(self, number: int, case: Case) -> Read:
        """A case that is one already, with what all have in common."""
        if problems := tuple(self._strange(case)):
            return BadLine.of(number, case, *problems)
        if not self.instructions:
            return number, case.model_copy(update={"answer": self.answer})
        prompt, *variants = ((*self.instructions, *conversation(one)) for one in (case.prompt, *case.variants))
        changes = {"answer": self.answer, "prompt": prompt, "variants": tuple(variants)}
        return number, case.model_copy(update=changes)

    def _case(self, line: _CaseLine) -> Case:
        messages = conversation(line.prompt or line.messages or ())
        return Case(
            id=line.id,
            task=self.task,
            prompt=(*self.instructions, *messages),
            answer=self.answer,
            metadata=line.metadata,
            requester=line.requester,
        )

    def _strange(self, case: Case) -> Iterator[str]:
        if case.task != self.task:
            yield f"task: it is {case.task!r}, and that of the others is {self.task!r}"
        if "answer" in case.model_fields_set and case.answer != self.answer:
            yield f"answer: it is {case.answer!r}, and that of the others is {self.answer!r}"
        if any(isinstance(fact, float) and not math.isfinite(fact) for fact in case.metadata.values()):
            yield "metadata: a number in it is not finite"
        for prompt in (case.prompt, *case.variants):
            yield from _astray(conversation(prompt))


def _astray(messages: Iterable[Message]) -> Iterator[str]:
    """Images that lead where no case may."""
    images = (piece for one in messages for piece in one.pieces if isinstance(piece, Image))
    for image in images:
        try:
            image.address()
        except ConfigError as exc:
            yield f"messages: {exc}"


def json_cases(file: BinaryIO, common: Common) -> Iterator[Read]:
    """The cases of a file with one JSON object per line, in UTF-8; empty lines are skipped."""
    return (_json_case(line, common) for line in lines_of(file) if line.text.strip())


def _json_case(line: Line, common: Common) -> Read:
    text = line.text
    if problem := line.problem:
        return BadLine.of(line.number, text, problem)
    try:
        data = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError as exc:
        return BadLine.of(line.number, text, f"line: no JSON: {str(exc).replace('at line 1 column', 'at character')}")
    if not isinstance(data, dict):
        return BadLine.of(line.number, text, f"line: no JSON object but a {type(data).__name__}")
    return common.read(line.number, data, text)
