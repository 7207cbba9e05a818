"""One request and its reply, whole or streamed: a streamed one is put together into the same body."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from hitl_prefect.protocols import OnText
from hitl_prefect.providers._events import Events, json_object
from hitl_prefect.providers._wire import CutOff, ErrorInReply

__all__ = ["Answered", "Assembly", "exchange", "exchange_either", "read_as"]

Body = TypeVar("Body", bound=BaseModel)
Whole = TypeVar("Whole", covariant=True)


@dataclass(frozen=True)
class Answered(Generic[Body]):
    """A body, and the name under which the provider can find the request."""

    body: Body
    request_id: str | None


class Assembly(Protocol[Whole]):
    """Puts the events of a stream together."""

    @property
    def text(self) -> str:
        """All of the text so far."""
        ...

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event.

        Raises:
            CutOff: If it is not what the provider documents.
        """
        ...

    def whole(self) -> Whole:
        """The body, as it would have come without a stream.

        Raises:
            CutOff: If the stream ended before the reply did.
        """
        ...


def read_as(kind: type[Body], data: Mapping[str, Any]) -> Body:
    """JSON data as a body.

    Raises:
        CutOff: If it is something else.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as exc:
        # Only where and why: the values are what the model wrote.
        where = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in exc.errors()[:3])
        raise CutOff(f"the reply is not what the API documents ({where})") from None


_NAMED = {"model", "messages", "input", "max_tokens", "questions"}
"""What `create` of one resource or another cannot do without."""


def _as_arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The body as arguments of `create`; what it can do without goes as it is.

    The SDKs rewrite each argument by its type, which takes a fifth of a call's time for the schema of an answer type.
    """
    named = {name: value for name, value in asked.items() if name in _NAMED}
    return {**named, "extra_body": {name: value for name, value in asked.items() if name not in _NAMED}}


async def exchange(resource: Any, asked: Mapping[str, Any], kind: type[Body]) -> Answered[Body]:
    """Send `asked` through `resource.create` of either SDK and wait for the whole reply.

    `create` and the raw body, not `parse`, which raises where the text does not validate: the text would be lost.

    Raises:
        CutOff: If the body is not whole.
        ErrorInReply: If it is an error in spite of its status.
    """
    raw = await resource.with_raw_response.create(**_as_arguments(asked))
    data = json_object(raw.http_response.content)
    if data.get("error"):
        raise ErrorInReply(data)
    return Answered(read_as(kind, data), raw.request_id)


async def exchange_streamed(
    resource: Any, asked: Mapping[str, Any], on_text: OnText, start: Callable[[], Assembly[Body]]
) -> Answered[Body]:
    """The same with a stream; its text is shown as it arrives.

    The bytes are read here: the SDKs' own helpers raise in the middle where a reply is cut off by its limit or does not
    validate, and build a model per token.

    Raises:
        CutOff: If the stream is not whole.
        ErrorInReply: If there is an error in it.
    """
    assembly, events, shown = start(), Events(), 0
    async with resource.with_streaming_response.create(**_as_arguments(asked), stream=True) as raw:
        async for chunk in raw.iter_bytes():
            for event in events.feed(chunk):
                assembly.add(event)
                if len(assembly.text) > shown:
                    shown = len(assembly.text)
                    on_text(assembly.text)
        for event in events.feed(b"\n\n"):  # the last one, where no empty line came after it
            assembly.add(event)
        return Answered(assembly.whole(), raw.request_id)


async def exchange_either(
    resource: Any,
    asked: Mapping[str, Any],
    on_text: OnText | None,
    kind: type[Body],
    start: Callable[[], Assembly[Body]],
) -> Answered[Body]:
    """Streamed where somebody wants to see the text, whole where nobody does.

    Raises:
        CutOff: If the reply is not whole.
        ErrorInReply: If there is an error in it.
    """
    if on_text is None:
        return await exchange(resource, asked, kind)
    return await exchange_streamed(resource, asked, on_text, start)
