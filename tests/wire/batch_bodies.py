"""What the batch endpoints send, valid by the SDKs' own types."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
from openai.types import Batch, FileObject
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tests.wire.bodies import anthropic_message, chat_completion, response
from tests.wire.said import Said

Provider = Literal["openai", "anthropic"]


@dataclass
class Made:
    """One batch as the server holds it."""

    id: str
    provider: Provider
    requests: dict[str, dict[str, Any]]
    """By `custom_id`: the body that was asked for."""
    created_at: datetime
    metadata: dict[str, str] = field(default_factory=dict)
    input_file_id: str = ""
    status: str = "in_progress"
    ended_at: datetime | None = None
    results: list[bytes] = field(default_factory=list)
    """Lines, in the order in which they are sent."""
    counted: int = 0
    """How many results the server says there are."""
    errors: list[bytes] = field(default_factory=list)
    """OpenAI's error file."""


def openai_line(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """A line of an output file, without its `custom_id`."""
    made = response(said, body) if "input" in body else chat_completion(said, body)
    (Response if "input" in body else ChatCompletion).model_validate(made)
    answered = {"status_code": 200, "request_id": "req_batch", "body": made}
    return {"id": "batch_req_1", "response": answered, "error": None}


def openai_error_line(status: int, code: str) -> dict[str, Any]:
    """A line of an error file."""
    body = {"error": {"message": "quotes the prompt", "type": "invalid_request_error", "code": code}}
    return {
        "id": "batch_req_2",
        "response": {"status_code": status, "request_id": "req_x", "body": body},
        "error": None,
    }


def anthropic_line(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """A line of results, without its `custom_id`."""
    result = {"type": "succeeded", "message": anthropic_message(said, body)}
    MessageBatchIndividualResponse.model_validate({"custom_id": "x", "result": result})
    return {"result": result}


def anthropic_problem(kind: str) -> dict[str, Any]:
    """A line of a request that errored, expired or was canceled."""
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "quotes"}, "request_id": "req_x"}
    result = {"type": kind} | ({"error": error} if kind == "errored" else {})
    MessageBatchIndividualResponse.model_validate({"custom_id": "x", "result": result})
    return {"result": result}


def openai_file(file_id: str, content: bytes, purpose: str) -> dict[str, Any]:
    shown = {
        "id": file_id,
        "object": "file",
        "bytes": len(content),
        "created_at": 1_790_000_000,
        "filename": "in.jsonl",
        "purpose": purpose,
        "status": "processed",
    }
    FileObject.model_validate(shown)
    return shown


def openai_batch(made: Made) -> dict[str, Any]:
    ended = made.status in ("completed", "expired", "cancelled", "failed")
    shown = {
        "id": made.id,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": made.input_file_id,
        "completion_window": "24h",
        "status": made.status,
        "created_at": int(made.created_at.timestamp()),
        "metadata": made.metadata,
        "request_counts": {
            "total": len(made.requests),
            "completed": made.counted,
            "failed": len(made.requests) - made.counted if ended else 0,
        },
        "output_file_id": f"file-out-of-{made.id}" if ended and made.results else None,
        "error_file_id": f"file-err-of-{made.id}" if ended and made.errors else None,
    }
    if ended and made.ended_at:
        shown[f"{made.status}_at"] = int(made.ended_at.timestamp())
    Batch.model_validate(shown)
    return shown


def anthropic_batch(made: Made, url: str) -> dict[str, Any]:
    ended, total = made.status == "ended", len(made.requests)
    shown = {
        "id": made.id,
        "type": "message_batch",
        "processing_status": made.status,
        "created_at": made.created_at.isoformat(),
        "expires_at": made.created_at.isoformat(),
        "ended_at": made.ended_at.isoformat() if ended and made.ended_at else None,
        "results_url": f"{url}/v1/messages/batches/{made.id}/results" if ended and url else None,
        "request_counts": {
            "processing": total - made.counted,
            "succeeded": made.counted,
            "errored": 0,
            "canceled": 0,
            "expired": 0,
        },
    }
    MessageBatch.model_validate(shown)
    return shown


def error_body(status: int, kind: str) -> tuple[int, Any]:
    return status, {"type": "error", "error": {"type": kind, "code": kind, "message": "the prompt was ..."}}
