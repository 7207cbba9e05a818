"""Server-sent events, cut out of the bytes of a stream.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, without `id` and `retry`, which no model sends.
"""

import json
from collections.abc import Iterator
from typing import Any

from hitl_prefect.providers._wire import CutOff, ErrorInReply

__all__ = ["DONE", "Events", "json_object"]

DONE: dict[str, Any] = {"type": "done"}
"""Stands for `[DONE]`, with which OpenAI ends a stream of chat completions."""


class Events:
    r"""The JSON objects of a stream, as far as it has arrived.

    Bytes, not text, are cut into lines: a model may write U+2028, which ends a line for Python and not for the wire.

    >>> events = Events()
    >>> list(events.feed(b'data: {"a": 1}\n\nda')), list(events.feed(b'ta: [DONE]\n\n'))
    ([{'a': 1}], [{'type': 'done'}])
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """The objects that are whole with these bytes.

        Raises:
            CutOff: If one is no JSON object.
            ErrorInReply: If one is an error.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield from self._line(line.removesuffix(b"\r"))

    def _line(self, line: bytes) -> Iterator[dict[str, Any]]:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._name = value.strip()
        elif not line:
            if self._data:
                yield _event(self._name, b"\n".join(self._data))
            self._name, self._data = b"", []


def _event(name: bytes, data: bytes) -> dict[str, Any]:
    if data.startswith(b"[DONE]"):
        return DONE
    if name == b"error":
        raise ErrorInReply(json_object(data))
    event = json_object(data)
    if event.get("error") or event.get("type") == "error":
        raise ErrorInReply(event)
    return event


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object as it came over the wire.

    Raises:
        CutOff: If the body ends too early, or is something else.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise CutOff("the reply is no JSON object, or was cut off")
    return data
