"""The bodies of replies, as each protocol writes them."""

from typing import Any

from tests.wire.said import Said

__all__ = ["anthropic_error", "anthropic_message", "body_of", "chat_completion", "decision", "openai_error", "response"]


def body_of(path: str, said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """The body that answers a request."""
    claude = path.startswith("/v1/messages")
    if said.status >= 400 or (said.fault == "error" and path != "/v1/responses"):
        return anthropic_error(said) if claude else openai_error(said)
    makers = {"/v1/chat/completions": chat_completion, "/v1/responses": response, "/v1/decisions": decision}
    return anthropic_message(said, body) if claude else makers[path](said, body)


def chat_completion(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/chat/completions`; valid for `openai.types.chat.ChatCompletion`."""
    refused = said.finish == "refusal" and said.finish_as is None
    content, refusal = (None, said.text) if refused else (said.text, None)
    message = {"role": "assistant", "content": content, "refusal": refusal}
    logprobs = {"content": tokens_of(said, body.get("top_logprobs", 0)), "refusal": None}
    choice = {
        "index": 0,
        "finish_reason": chat_finish(said),
        "message": message,
        "logprobs": logprobs if body.get("logprobs") and said.tokens else None,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": body["model"],
        "choices": [choice],
        "usage": chat_usage(said),
    }


def chat_finish(said: Said) -> str:
    return said.finish_as or ("length" if said.finish == "length" else "stop")


def chat_usage(said: Said) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": said.usage[0],
        "completion_tokens": said.usage[1],
        "total_tokens": sum(said.usage),
    }
    if said.cached_tokens is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": said.cached_tokens}
    if said.reasoning_tokens is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": said.reasoning_tokens}
    return usage


def tokens_of(said: Said, top: int) -> list[dict[str, Any]]:
    """Every token with as many alternatives as were asked for, the token itself first."""
    return [
        {**_token(text, logprob), "top_logprobs": [_token(f"{text}{k or ''}", logprob - k) for k in range(top)]}
        for text, logprob in said.tokens
    ]


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "bytes": list(text.encode()), "logprob": logprob}


def response(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/responses`; valid for `openai.types.responses.Response`."""
    failed = said.fault == "error"
    status = "failed" if failed else "completed" if said.finish != "length" and said.finish_as is None else "incomplete"
    reason = {"reason": said.finish_as or "max_output_tokens"} if status == "incomplete" else None
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000.0,
        "model": body["model"],
        "status": status,
        "error": {"code": said.error, "message": said.text} if failed else None,
        "incomplete_details": reason,
        "output": [] if failed else _output(said, body),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _usage(said),
    }


def _output(said: Said, body: dict[str, Any]) -> list[dict[str, Any]]:
    thoughts = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Let me think."}],
        "content": [{"type": "reasoning_text", "text": "It may be anywhere."}],
    }
    content = {"type": "refusal", "refusal": said.text} if said.finish == "refusal" else output_text(said, body)
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [content]}
    return [thoughts, message]


def output_text(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    asked = "message.output_text.logprobs" in body.get("include", ())
    return {
        "type": "output_text",
        "text": said.text,
        "annotations": [],
        "logprobs": tokens_of(said, body.get("top_logprobs", 0)) if asked else [],
    }


def _usage(said: Said) -> dict[str, Any]:
    return {
        "input_tokens": said.usage[0],
        "input_tokens_details": {"cached_tokens": said.cached_tokens or 0, "cache_write_tokens": 0},
        "output_tokens": said.usage[1],
        "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens or 0},
        "total_tokens": sum(said.usage),
    }


def decision(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/decisions`; valid for `openai.types.Decision`."""
    names = [question["name"] for question in body["questions"]]
    return {
        "model": body["model"],
        "answers": [
            _decided(said.answer_as.get(name, name), said.probabilities[name])
            for name in names
            if name in said.probabilities
        ],
        "usage": _usage(said),
    }


def _decided(name: str, probability: float | None) -> dict[str, Any]:
    if probability is None:
        return {"type": "refusal", "name": name}
    return {"type": "predicate", "name": name, "probability": probability}


def anthropic_message(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/messages`; valid for `anthropic.types.Message`."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": said.text}] if said.text else [],
        "stop_reason": anthropic_stop(said),
        "stop_sequence": None,
        "usage": anthropic_usage(said),
    }


def anthropic_stop(said: Said) -> str:
    return said.finish_as or {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}[said.finish]


def anthropic_usage(said: Said) -> dict[str, Any]:
    usage: dict[str, Any] = {"input_tokens": said.usage[0], "output_tokens": said.usage[1]}
    if said.cached_tokens is not None:
        fresh = said.usage[0] - said.cached_tokens - 2
        usage |= {
            "input_tokens": fresh,
            "cache_read_input_tokens": said.cached_tokens,
            "cache_creation_input_tokens": 2,
        }
    if said.reasoning_tokens is not None:
        usage["output_tokens_details"] = {"thinking_tokens": said.reasoning_tokens}
    return usage


def openai_error(said: Said) -> dict[str, Any]:
    """An error as OpenAI sends it."""
    return {"error": {"message": said.text, "type": said.error, "param": said.param, "code": said.error}}


def anthropic_error(said: Said) -> dict[str, Any]:
    """An error as Anthropic sends it."""
    return {"type": "error", "error": {"type": said.error, "message": said.text}, "request_id": "req_loopback"}
