"""Messages: Anthropic's protocol."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import anthropic
from pydantic import Field, NonNegativeInt

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.errors import ConfigError
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.providers._bodies import Lenient, OrNone
from hitl_prefect.providers._exchange import Answered, read_as
from hitl_prefect.providers._wire import CutOff

if TYPE_CHECKING:
    from anthropic.types import ImageBlockParam, JSONOutputFormatParam, MessageParam, TextBlockParam
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

__all__ = ["MessageAssembly", "MessageBody", "asked_of_messages", "message_reply"]

_FINISH: dict[str | None, Literal["length", "refusal"]] = {
    "refusal": "refusal",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}


_MOST = 8192
"""Tokens of a reply where nobody said how many: Anthropic wants a number, and its older models take no more."""


def asked_of_messages(model: str, request: Request) -> Mapping[str, Any]:
    """The body of `POST /v1/messages`; system turns go where Anthropic wants them, apart from the others.

    Raises:
        ConfigError: If the answer type cannot be described to Claude.
    """
    asked: MessageCreateParamsNonStreaming = {
        "model": model,
        "max_tokens": request.max_tokens or _MOST,
        "messages": [_message(one) for one in request.messages if one.role != "system"],
    }
    if system := "\n\n".join(one.text for one in request.messages if one.role == "system"):
        asked["system"] = system
    if request.structured:
        asked["output_config"] = {"format": _format(answer_type(request.answer), request.ask_confidence)}
    return asked


def _message(message: Message) -> "MessageParam":
    if message.role == "assistant":
        return {"role": "assistant", "content": message.text}
    content = message.content if isinstance(message.content, str) else [_block(one) for one in message.pieces]
    return {"role": "user", "content": content}


def _block(piece: str | Image) -> "TextBlockParam | ImageBlockParam":
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    if piece.data is not None and piece.media_type is not None:
        return {"type": "image", "source": {"type": "base64", "media_type": piece.media_type, "data": piece.data}}
    return {"type": "image", "source": {"type": "url", "url": piece.address() or ""}}


@lru_cache(maxsize=256)
def _format(answer: AnswerType, ask_confidence: bool) -> "JSONOutputFormatParam":
    """The schema of the answer type, as the SDK's own `parse` makes it; once, since making it takes 2 ms."""
    draft = answer.draft_model(ask_confidence=ask_confidence)
    try:
        return {"type": "json_schema", "schema": anthropic.transform_schema(draft)}
    except ValueError as exc:
        raise ConfigError(f"answer={answer.answer!r} cannot be described to Claude: {exc}") from exc


class _Block(Lenient):
    type: str
    text: str = ""


class _OutputDetails(Lenient):
    thinking_tokens: OrNone[NonNegativeInt] = None


class _Usage(Lenient):
    input_tokens: OrNone[NonNegativeInt] = None
    cache_creation_input_tokens: OrNone[NonNegativeInt] = None
    cache_read_input_tokens: OrNone[NonNegativeInt] = None
    output_tokens: OrNone[NonNegativeInt] = None
    output_tokens_details: OrNone[_OutputDetails] = None

    def as_usage(self) -> Usage:
        outside = self.output_tokens_details
        return Usage(
            input_tokens=self._all_of_the_input(),
            output_tokens=self.output_tokens,
            cached_tokens=self.cache_read_input_tokens,
            reasoning_tokens=outside.thinking_tokens if outside else None,
        )

    def _all_of_the_input(self) -> int | None:
        # Anthropic counts what it wrote into its cache, or read from it, apart from the rest.
        if self.input_tokens is None:
            return None
        return self.input_tokens + (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)


class MessageBody(Lenient):
    """What is read of a message."""

    model: str | None = None
    content: tuple[_Block, ...]
    stop_reason: str | None = None
    usage: OrNone[_Usage] = None


def message_reply(answered: Answered[MessageBody], model: str) -> Reply:
    """The reply in a message; `model` is the name where the server gives none."""
    body = answered.body
    return Reply(
        text="".join(block.text for block in body.content if block.type == "text"),
        finish=_FINISH.get(body.stop_reason, "stop"),
        model=body.model or model,
        usage=body.usage.as_usage() if body.usage else Usage(),
        request_id=answered.request_id,
    )


class _Started(Lenient):
    model: str | None = None
    usage: dict[str, Any] = Field(default_factory=dict)


class _Start(Lenient):
    message: _Started


class _Text(Lenient):
    type: str
    text: str = ""


class _Delta(Lenient):
    delta: _Text


class _Stop(Lenient):
    stop_reason: str | None = None


class _Changed(Lenient):
    delta: _Stop
    usage: dict[str, Any] = Field(default_factory=dict)


class MessageAssembly:
    """A message put together from its events."""

    def __init__(self) -> None:
        self.text = ""
        """All of the text so far."""
        self._started: _Started | None = None
        self._stop_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._stopped = False

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        match event.get("type"):
            case "message_start":
                self._started = read_as(_Start, event).message
                self._count(self._started.usage)
            case "content_block_delta":
                piece = read_as(_Delta, event).delta
                self.text += piece.text if piece.type == "text_delta" else ""
            case "message_delta":
                changed = read_as(_Changed, event)
                self._stop_reason = changed.delta.stop_reason or self._stop_reason
                self._count(changed.usage)
            case "message_stop":
                self._stopped = True

    def _count(self, usage: dict[str, Any]) -> None:
        # The counts are cumulative: the last one holds, and one that is not sent stays.
        self._usage |= {name: count for name, count in usage.items() if count is not None}

    def whole(self) -> MessageBody:
        """The message; whole where `message_stop` has come."""
        if self._started is None or not self._stopped:
            raise CutOff("the stream ended before the reply did")
        return read_as(
            MessageBody,
            {
                "model": self._started.model,
                "content": [{"type": "text", "text": self.text}],
                "stop_reason": self._stop_reason,
                "usage": self._usage,
            },
        )
