"""The rows that OpenAI, and others that take its files, fine-tune on.

Source:
    https://developers.openai.com/api/docs/guides/supervised-fine-tuning, .../vision-fine-tuning,
    .../direct-preference-optimization
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hitl_prefect.frozen import Frozen
from hitl_prefect.messages import Image, Message
from hitl_prefect.training.lessons import Lesson

__all__ = ["OpenAIDpoRow", "OpenAISftRow", "OpenAITurn", "openai_dpo", "openai_sft"]

_Text = Annotated[str, StringConstraints(strict=True, min_length=1)]
_Picture = Annotated[str, StringConstraints(pattern=r"^(https?://|data:image/(png|jpeg|webp);base64,)")]
"""An address or the picture itself; fine-tuning takes no GIF."""


class _Address(Frozen):
    url: _Picture


class _TextPart(Frozen):
    type: Literal["text"] = "text"
    text: _Text


class _ImagePart(Frozen):
    type: Literal["image_url"] = "image_url"
    image_url: _Address


_Part = Annotated[_TextPart | _ImagePart, Field(discriminator="type")]


class OpenAITurn(Frozen):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: _Text | Annotated[tuple[_Part, ...], Field(min_length=1)]
    weight: Literal[0, 1] | None = None
    """0: an earlier turn of the assistant, which is no answer to learn. Left out where it says nothing."""

    @model_validator(mode="after")
    def _in_its_place(self) -> Self:
        if self.role != "user" and not isinstance(self.content, str):
            raise ValueError("only the user's turns have parts")
        if self.role != "assistant" and self.weight is not None:
            raise ValueError("only the assistant's turns have a weight")
        return self


class _Answer(Frozen):
    role: Literal["assistant"] = "assistant"
    content: _Text


class OpenAISftRow(Frozen):
    """A row of supervised fine-tuning: a conversation that ends with the answer to learn."""

    messages: Annotated[tuple[OpenAITurn, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> Self:
        if self.messages[-1].role != "assistant" or self.messages[-1].weight == 0:
            raise ValueError("messages ends with a turn of the assistant, of weight 1")
        return self


class _TextTurn(Frozen):
    role: Literal["system", "user", "assistant"]
    content: _Text


class _Input(Frozen):
    messages: Annotated[tuple[_TextTurn, ...], Field(min_length=1)]


class OpenAIDpoRow(Frozen):
    """A row of direct preference optimisation: of two answers to a prompt, which is the better one."""

    input: _Input
    preferred_output: tuple[_Answer]
    non_preferred_output: tuple[_Answer]

    @model_validator(mode="after")
    def _two_answers(self) -> Self:
        if self.preferred_output == self.non_preferred_output:
            raise ValueError("the preferred output and the other are two answers")
        return self


def openai_sft(lesson: Lesson) -> Iterator[OpenAISftRow]:
    """The answer that people want; earlier turns of the assistant are shown and not learnt."""
    if (wanted := lesson.wanted_text) is not None:
        prompt = (_turn(one) for one in lesson.messages)
        yield OpenAISftRow(messages=(*prompt, OpenAITurn(role="assistant", content=wanted)))


def openai_dpo(lesson: Lesson) -> Iterator[OpenAIDpoRow]:
    """The answer that people want, before the draft that they found wrong."""
    wanted, unwanted = lesson.wanted_text, lesson.unwanted_text
    if wanted is not None and unwanted is not None:
        asked = _Input(messages=tuple(_TextTurn(role=one.role, content=one.text) for one in lesson.messages))
        yield OpenAIDpoRow(
            input=asked,
            preferred_output=(_Answer(content=wanted),),
            non_preferred_output=(_Answer(content=unwanted),),
        )


def _turn(message: Message) -> OpenAITurn:
    content = message.text
    if any(isinstance(piece, Image) for piece in message.pieces):
        return OpenAITurn(role="user", content=tuple(_part(piece) for piece in message.pieces))
    return OpenAITurn(role=message.role, content=content, weight=0 if message.role == "assistant" else None)


def _part(piece: str | Image) -> _TextPart | _ImagePart:
    if isinstance(piece, str):
        return _TextPart(text=piece)
    return _ImagePart(image_url=_Address(url=piece.url or f"data:{piece.media_type};base64,{piece.data}"))
