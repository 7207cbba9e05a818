"""The rows that Hugging Face TRL trains on, in its conversational formats.

Source:
    https://huggingface.co/docs/trl/dataset_formats
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator

from hitl_prefect.frozen import Frozen
from hitl_prefect.messages import Message
from hitl_prefect.training.lessons import Lesson

__all__ = ["TrlDpoRow", "TrlKtoRow", "TrlSftRow", "TrlTurn", "trl_dpo", "trl_kto", "trl_sft"]

_Text = Annotated[str, StringConstraints(strict=True, min_length=1)]


class TrlTurn(Frozen):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: _Text


class _Answer(TrlTurn):
    role: Literal["assistant"] = "assistant"


_Prompt = Annotated[tuple[TrlTurn, ...], Field(min_length=1)]
_One = tuple[_Answer]


class TrlSftRow(Frozen):
    """A row of `SFTTrainer`: a conversation that ends with the answer to learn."""

    messages: Annotated[tuple[TrlTurn, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> Self:
        if self.messages[-1].role != "assistant":
            raise ValueError("messages ends with a turn of the assistant")
        return self


class TrlDpoRow(Frozen):
    """A row of `DPOTrainer`: of two answers to a prompt, which is the better one."""

    prompt: _Prompt
    chosen: _One
    rejected: _One

    @model_validator(mode="after")
    def _two_answers(self) -> Self:
        if self.chosen == self.rejected:
            raise ValueError("chosen and rejected are two answers")
        return self


class TrlKtoRow(Frozen):
    """A row of `KTOTrainer`: whether an answer to a prompt is a good one."""

    prompt: _Prompt
    completion: _One
    label: StrictBool


def trl_sft(lesson: Lesson) -> Iterator[TrlSftRow]:
    """The answer that people want."""
    if (wanted := lesson.wanted_text) is not None:
        yield TrlSftRow(messages=(*_prompt(lesson), _Answer(content=wanted)))


def trl_dpo(lesson: Lesson) -> Iterator[TrlDpoRow]:
    """The answer that people want, before the draft that they found wrong."""
    wanted, unwanted = lesson.wanted_text, lesson.unwanted_text
    if wanted is not None and unwanted is not None:
        yield TrlDpoRow(
            prompt=_prompt(lesson), chosen=(_Answer(content=wanted),), rejected=(_Answer(content=unwanted),)
        )


def trl_kto(lesson: Lesson) -> Iterator[TrlKtoRow]:
    """The answer that people want as a good one, the draft that they found wrong as a bad one."""
    for answer, label in ((lesson.wanted_text, True), (lesson.unwanted_text, False)):
        if answer is not None:
            yield TrlKtoRow(prompt=_prompt(lesson), completion=(_Answer(content=answer),), label=label)


def _prompt(lesson: Lesson) -> tuple[TrlTurn, ...]:
    return tuple(_turn(one) for one in lesson.messages)


def _turn(message: Message) -> TrlTurn:
    return TrlTurn(role=message.role, content=message.text)
