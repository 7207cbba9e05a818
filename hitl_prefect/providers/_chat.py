"""Chat Completions: the protocol that OpenAI's older models and all compatible servers speak."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.providers._bodies import Lenient, OrNone, ReadToken, ReadUsage
from hitl_prefect.providers._events import DONE
from hitl_prefect.providers._exchange import Answered, read_as
from hitl_prefect.providers._strict import address, strict_schema
from hitl_prefect.providers._wire import CutOff

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

__all__ = ["ChatAssembly", "ChatBody", "asked_of_chat", "chat_reply"]


def asked_of_chat(model: str, request: Request, *, logprobs: bool, stream: bool) -> Mapping[str, Any]:
    """The body of `POST /v1/chat/completions`."""
    asked: CompletionCreateParamsNonStreaming = {
        "model": model,
        "messages": [_message(one) for one in request.messages],
    }
    if request.max_tokens is not None:
        asked["max_completion_tokens"] = request.max_tokens
    if request.structured:
        name, schema = strict_schema(request)
        asked["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": name, "strict": True, "schema": schema},
        }
    if logprobs:
        asked["logprobs"] = True
        if request.top_logprobs:
            asked["top_logprobs"] = request.top_logprobs
    # Without this a stream tells no usage.
    return {**asked, "stream_options": {"include_usage": True}} if stream else asked


def _message(message: Message) -> "ChatCompletionMessageParam":
    match message.role:
        case "system":
            return {"role": "system", "content": message.text}
        case "assistant":
            return {"role": "assistant", "content": message.text}
        case "user":
            content = message.content if isinstance(message.content, str) else [_part(one) for one in message.pieces]
            return {"role": "user", "content": content}


def _part(piece: str | Image) -> "ChatCompletionContentPartParam":
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    return {"type": "image_url", "image_url": {"url": address(piece)}}


class _Message(Lenient):
    content: str | None = None
    refusal: str | None = None


class _Logprobs(Lenient):
    content: tuple[ReadToken, ...] | None = None


class _Choice(Lenient):
    index: int = 0
    message: _Message
    finish_reason: str | None = None
    logprobs: OrNone[_Logprobs] = None


class ChatBody(Lenient):
    """What is read of a chat completion."""

    model: str | None = None
    choices: tuple[_Choice, ...] = Field(min_length=1)
    usage: OrNone[ReadUsage] = None


def chat_reply(answered: Answered[ChatBody], model: str) -> Reply:
    """The reply in a chat completion; `model` is the name where the server gives none."""
    body = answered.body
    choice = body.choices[0]
    return Reply(
        text=choice.message.refusal or choice.message.content or "",
        finish=_finish(choice),
        model=body.model or model,
        tokens=tuple(one.as_token() for one in (choice.logprobs and choice.logprobs.content) or ()),
        usage=body.usage.as_usage() if body.usage else Usage(),
        request_id=answered.request_id,
    )


def _finish(choice: _Choice) -> Literal["stop", "length", "refusal"]:
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return "refusal"
    return "length" if choice.finish_reason == "length" else "stop"


class _Change(Lenient):
    index: int = 0
    delta: _Message = _Message()
    finish_reason: str | None = None
    logprobs: OrNone[_Logprobs] = None


class _Chunk(Lenient):
    model: str | None = None
    choices: tuple[_Change, ...] | None = ()
    usage: OrNone[ReadUsage] = None


class ChatAssembly:
    """A chat completion put together from its chunks."""

    def __init__(self) -> None:
        self._content, self._refusal = "", ""
        self._tokens: list[ReadToken] = []
        self._finish_reason: str | None = None
        self._model: str | None = None
        self._usage: ReadUsage | None = None
        self._done = False

    @property
    def text(self) -> str:
        """All of the text so far."""
        return self._refusal or self._content

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next chunk."""
        if event is DONE:
            self._done = True
            return
        if self._done:
            return
        chunk = read_as(_Chunk, event)
        self._model = self._model or chunk.model
        self._usage = chunk.usage or self._usage
        for change in chunk.choices or ():
            if change.index == 0:
                self._change(change)

    def _change(self, change: _Change) -> None:
        self._content += change.delta.content or ""
        self._refusal += change.delta.refusal or ""
        self._tokens += (change.logprobs and change.logprobs.content) or ()
        self._finish_reason = change.finish_reason or self._finish_reason

    def whole(self) -> ChatBody:
        """The completion; whole where a finish reason and `[DONE]` have come."""
        if not self._done or self._finish_reason is None:
            raise CutOff("the stream ended before the reply did")
        message = _Message(content=self._content, refusal=self._refusal)
        choice = _Choice(
            message=message, finish_reason=self._finish_reason, logprobs=_Logprobs(content=tuple(self._tokens))
        )
        return ChatBody(model=self._model, choices=(choice,), usage=self._usage)
