"""The events of streamed replies, as each protocol writes them; put together they are the bodies of `bodies.py`."""

import json
import re
from typing import Any

from tests.wire.bodies import (
    anthropic_error,
    anthropic_message,
    anthropic_stop,
    anthropic_usage,
    chat_completion,
    chat_finish,
    chat_usage,
    openai_error,
    output_text,
    response,
    tokens_of,
)
from tests.wire.said import Said

__all__ = ["chat_chunks", "encoded", "error_event", "message_events", "pieces", "response_events", "stream_of"]

Event = dict[str, Any] | str


def stream_of(path: str, said: Said, body: dict[str, Any]) -> list[Event]:
    """The events that answer a request."""
    makers = {"/v1/chat/completions": chat_chunks, "/v1/responses": response_events, "/v1/messages": message_events}
    return makers[path](said, body)


def encoded(event: Event) -> bytes:
    """An event on the wire; what is no dictionary goes as it is, such as `[DONE]`."""
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    # Not escaped: the providers send UTF-8 as it is, line separators of Unicode included.
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def error_event(path: str, said: Said) -> dict[str, Any]:
    """An error in the middle of a stream."""
    if path.startswith("/v1/messages"):
        return anthropic_error(said)
    if path == "/v1/responses":
        return {"type": "error", "code": said.error, "message": said.text, "param": None, "sequence_number": 9}
    return openai_error(said)


def pieces(said: Said) -> list[str]:
    """The text as a model writes it: token by token, or a few letters at a time."""
    return [text for text, _ in said.tokens] or re.findall(r"(?s).{1,5}", said.text)


def chat_chunks(said: Said, body: dict[str, Any]) -> list[Event]:
    """Each valid for `openai.types.chat.ChatCompletionChunk`; the last is `[DONE]`."""
    whole = chat_completion(said, body)
    kind = "content" if whole["choices"][0]["message"]["content"] is not None else "refusal"
    tokens = tokens_of(said, body.get("top_logprobs", 0)) if body.get("logprobs") else []
    chunks: list[Event] = [_chunk(body, {"role": "assistant", kind: ""})]
    for place, piece in enumerate(pieces(said)):
        chunks.append(_chunk(body, {kind: piece}, tokens[place : place + 1]))
    chunks.append(_chunk(body, {}, finish=chat_finish(said)))
    if body.get("stream_options", {}).get("include_usage"):
        chunks.append({**_chunk(body, {}), "choices": [], "usage": chat_usage(said)})
    return [*chunks, "[DONE]"]


def _chunk(
    body: dict[str, Any], delta: dict[str, Any], tokens: list[dict[str, Any]] | None = None, finish: str | None = None
) -> dict[str, Any]:
    logprobs = {"content": tokens, "refusal": None} if tokens else None
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": body["model"],
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}],
    }


def response_events(said: Said, body: dict[str, Any]) -> list[Event]:
    """Each valid for `openai.types.responses.ResponseStreamEvent`; the last holds the whole response."""
    whole = response(said, body)
    started = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    where = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    refused = said.finish == "refusal"
    events: list[dict[str, Any]] = [{"type": "response.created", "response": started}]
    tokens = [_without_bytes(one) for one in output_text(said, body)["logprobs"]]
    for place, piece in enumerate(pieces(said)):
        if refused:
            events.append({"type": "response.refusal.delta", "delta": piece, **where})
        else:
            logprobs = tokens[place : place + 1]
            events.append({"type": "response.output_text.delta", "delta": piece, "logprobs": logprobs, **where})
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return [{**event, "sequence_number": place} for place, event in enumerate(events)]


def _without_bytes(token: dict[str, Any]) -> dict[str, Any]:
    """A token as a delta of Responses holds it."""
    short = {name: value for name, value in token.items() if name != "bytes"}
    return (
        short | {"top_logprobs": [_without_bytes(one) for one in token["top_logprobs"]]}
        if "top_logprobs" in token
        else short
    )


def message_events(said: Said, body: dict[str, Any]) -> list[Event]:
    """Each valid for `anthropic.types.RawMessageStreamEvent`, but for the `ping`."""
    whole, usage = anthropic_message(said, body), anthropic_usage(said)
    started = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in pieces(said)
    ]
    block = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *deltas,
        {"type": "content_block_stop", "index": 0},
    ]
    counted = {name: count for name, count in usage.items() if name.startswith("output")}
    return [
        {"type": "message_start", "message": started},
        *(block if said.text else []),
        {
            "type": "message_delta",
            "delta": {"stop_reason": anthropic_stop(said), "stop_sequence": None},
            "usage": counted,
        },
        {"type": "message_stop"},
    ]
