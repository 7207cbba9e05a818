"""Responses: the protocol that OpenAI made for its reasoning models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.providers._bodies import Lenient, OrNone, ReadToken, ReadUsage
from hitl_prefect.providers._exchange import Answered, read_as
from hitl_prefect.providers._strict import address, strict_schema
from hitl_prefect.providers._wire import CutOff, ErrorInReply

if TYPE_CHECKING:
    from openai.types.responses import EasyInputMessageParam, ResponseInputContentParam
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

__all__ = ["ResponsesAssembly", "ResponsesBody", "asked_of_responses", "responses_reply"]

_FEWEST = 16
"""The least number of output tokens that may be asked for."""
_ROLE: dict[str, Literal["developer", "user", "assistant"]] = {
    "system": "developer",  # as reasoning models call it
    "user": "user",
    "assistant": "assistant",
}


def asked_of_responses(model: str, request: Request, *, logprobs: bool) -> Mapping[str, Any]:
    """The body of `POST /v1/responses`; nothing of it is stored at OpenAI."""
    asked: ResponseCreateParamsNonStreaming = {
        "model": model,
        "input": [_message(one) for one in request.messages],
        "store": False,
    }
    if request.max_tokens is not None:
        asked["max_output_tokens"] = max(_FEWEST, request.max_tokens)
    if request.structured:
        name, schema = strict_schema(request)
        asked["text"] = {"format": {"type": "json_schema", "name": name, "strict": True, "schema": schema}}
    if logprobs:
        asked["include"] = ["message.output_text.logprobs"]
        if request.top_logprobs:
            asked["top_logprobs"] = request.top_logprobs
    return asked


def _message(message: Message) -> "EasyInputMessageParam":
    content = message.content if isinstance(message.content, str) else [_part(one) for one in message.pieces]
    # What the model said comes back as text: input parts are for the other roles.
    return {"role": _ROLE[message.role], "content": message.text if message.role == "assistant" else content}


def _part(piece: str | Image) -> "ResponseInputContentParam":
    if isinstance(piece, str):
        return {"type": "input_text", "text": piece}
    return {"type": "input_image", "image_url": address(piece), "detail": "auto"}


class _Part(Lenient):
    type: str
    text: str = ""
    refusal: str = ""
    logprobs: OrNone[tuple[ReadToken, ...]] = None


class _Item(Lenient):
    type: str
    content: OrNone[tuple[_Part, ...]] = None
    """Of messages only: what a reasoning item holds is not for us."""


class _Incomplete(Lenient):
    reason: str | None = None


class ResponsesBody(Lenient):
    """What is read of a response."""

    model: str | None = None
    status: Literal["completed", "incomplete"]
    output: tuple[_Item, ...]
    incomplete_details: OrNone[_Incomplete] = None
    usage: OrNone[ReadUsage] = None
    streamed: tuple[ReadToken, ...] = ()
    """Tokens that came with a stream; not a field of OpenAI's."""

    @property
    def parts(self) -> list[_Part]:
        """What the model said, without what it thought."""
        return [part for item in self.output if item.type == "message" for part in item.content or ()]


def responses_reply(answered: Answered[ResponsesBody], model: str) -> Reply:
    """The reply in a response; `model` is the name where the server gives none."""
    body = answered.body
    tokens = tuple(one for part in body.parts for one in part.logprobs or ()) or body.streamed
    refusal = "".join(part.refusal for part in body.parts)
    return Reply(
        text=refusal or "".join(part.text for part in body.parts),
        finish="refusal" if refusal else _finish(body),
        model=body.model or model,
        tokens=tuple(one.as_token() for one in tokens),
        usage=body.usage.as_usage() if body.usage else Usage(),
        request_id=answered.request_id,
    )


def _finish(body: ResponsesBody) -> Literal["stop", "length", "refusal"]:
    if body.status == "completed":
        return "stop"
    reason = body.incomplete_details.reason if body.incomplete_details else None
    return "refusal" if reason == "content_filter" else "length"


class _Delta(Lenient):
    delta: str
    logprobs: OrNone[tuple[ReadToken, ...]] = None


class ResponsesAssembly:
    """A response out of its events: the last one holds all of it."""

    def __init__(self) -> None:
        self._content, self._refusal = "", ""
        self._tokens: list[ReadToken] = []
        self._last: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """All of the text so far."""
        return self._refusal or self._content

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        match event.get("type"):
            case "response.output_text.delta":
                piece = read_as(_Delta, event)
                self._content += piece.delta
                self._tokens += piece.logprobs or ()
            case "response.refusal.delta":
                self._refusal += read_as(_Delta, event).delta
            case "response.completed" | "response.incomplete" | "response.failed":
                self._last = event.get("response")

    def whole(self) -> ResponsesBody:
        """The response; whole where the event has come that ends it."""
        if not isinstance(self._last, dict):
            raise CutOff("the stream ended before the reply did")
        if self._last.get("error"):
            raise ErrorInReply(self._last)
        return read_as(ResponsesBody, self._last).model_copy(update={"streamed": tuple(self._tokens)})
