"""One request and its reply, whole or streamed: a streamed one is put together into the same body."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from hitl_prefect.protocols import OnText
from hitl_prefect.providers._events import Events, json_object
from hitl_prefect.providers._wire import CutOff, ErrorInReply

__all__ = ["Answered", "Assembly", "Operation", "Streamable", "exchange", "exchange_either", "read_as"]

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


@dataclass(frozen=True)
class Operation(Generic[Body]):
    """Where a provider's protocol is spoken, and what its bodies are."""

    path: str
    kind: type[Body]
    id_header: str
    """The header of a reply that names the request; a gateway in between may set others."""


@dataclass(frozen=True)
class Streamable(Operation[Body]):
    """One whose reply may come as a stream."""

    start: Callable[[], Assembly[Body]]
    """Begins to put a streamed body together."""


async def exchange(client: Any, operation: Operation[Body], asked: Mapping[str, Any]) -> Answered[Body]:
    """Send `asked` through the client of either SDK and wait for the whole reply.

    `post`, not `create`, which rewrites each argument by its type: a fifth of a call's time. And the body as it is, not
    `parse`, which raises where the text does not validate: the text would be lost.

    Raises:
        CutOff: If the body is not whole.
        ErrorInReply: If it is an error in spite of its status.
    """
    response: httpx2.Response = await client.post(operation.path, body=asked, cast_to=httpx2.Response)
    data = json_object(response.content)
    if data.get("error"):
        raise ErrorInReply(data)
    return Answered(read_as(operation.kind, data), response.headers.get(operation.id_header))


async def exchange_streamed(
    client: Any, operation: Streamable[Body], asked: Mapping[str, Any], on_text: OnText
) -> Answered[Body]:
    """The same with a stream; its text is shown as it arrives.

    The bytes are read here: the SDKs' own helpers raise in the middle where a reply is cut off by its limit or does not
    validate, and build a model per token.

    Raises:
        CutOff: If the stream is not whole.
        ErrorInReply: If there is an error in it.
    """
    assembly, events, shown = operation.start(), Events(), 0
    body = {**asked, "stream": True}
    response: httpx2.Response = await client.post(operation.path, body=body, cast_to=httpx2.Response, stream=True)
    async with aclosing(response):
        async for chunk in response.aiter_bytes():
            for event in events.feed(chunk):
                assembly.add(event)
                if len(assembly.text) > shown:
                    shown = len(assembly.text)
                    on_text(assembly.text)
        for event in events.feed(b"\n\n"):  # the last one, where no empty line came after it
            assembly.add(event)
        return Answered(assembly.whole(), response.headers.get(operation.id_header))


async def exchange_either(
    client: Any, operation: Streamable[Body], asked: Mapping[str, Any], on_text: OnText | None
) -> Answered[Body]:
    """Streamed where somebody wants to see the text, whole where nobody does.

    Raises:
        CutOff: If the reply is not whole.
        ErrorInReply: If there is an error in it.
    """
    if on_text is None:
        return await exchange(client, operation, asked)
    return await exchange_streamed(client, operation, asked, on_text)
