"""OpenAI's batch endpoint: a file of requests, answered within a day at half the price."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from datetime import UTC, datetime
from typing import Any, Literal

import openai

from hitl_prefect.batch_protocol import BatchLimits, BatchLook, BatchResult, FoundBatches, SoughtBatch
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.messages import Message
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.providers._apis import Known
from hitl_prefect.providers._batch_wire import batch_call, batch_client, check_id, given_id, json_lines
from hitl_prefect.providers._chat import ChatBody, asked_of_chat, chat_reply
from hitl_prefect.providers._endpoint import Endpoint
from hitl_prefect.providers._events import json_object
from hitl_prefect.providers._exchange import Answered, read_as
from hitl_prefect.providers._responses import ResponsesBody, asked_of_responses, responses_reply
from hitl_prefect.providers._wire import CutOff, ErrorInReply
from hitl_prefect.providers.openai import OpenAIProvider

__all__ = ["OpenAIBatches"]

_METADATA = "hitl_key"
_URL: dict[str, Literal["/v1/chat/completions", "/v1/responses"]] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
}
_ENDED = {"completed": "completed_at", "expired": "expired_at", "cancelled": "cancelled_at", "failed": "failed_at"}
"""By the status of a batch that has ended: the field that says when."""
_PROBE = Request(messages=(Message(role="user", content="Answer with the word ok."),), answer=str, max_tokens=256)


class OpenAIBatches:
    """The batch endpoint of a model behind OpenAI's API.

    Args:
        provider: Asks the same model at once, to find out what it refuses.
        endpoint: Where to ask.
    """

    limits = BatchLimits(requests=50_000, size_bytes=190_000_000)
    """OpenAI takes 200 MB; a line may grow when it is known which protocol the model speaks."""

    def __init__(self, provider: OpenAIProvider, endpoint: Endpoint) -> None:
        self._provider, self._model, self._endpoint = provider, provider.model, endpoint
        self._call = batch_call(provider.model, endpoint)
        self._how = Known(api="chat", logprobs=True)

    async def prepare(self) -> None:
        """Ask the model one small question at once, unless it is known how it is asked.

        A model that refuses token log probabilities, or that protocol, would fail every request of the batch, a day
        later.
        """
        async with self._client() as client:
            if self._provider.known_by_now(client).logprobs:
                await self._provider.generate(_PROBE)
            self._how = self._provider.known_by_now(client)

    def line(self, custom_id: str, request: Request) -> bytes:
        """One line of the input file; before `prepare` as long as it can get."""
        request = self._endpoint.limited(request)
        logprobs = self._how.logprobs and request.logprobs
        if self._how.api == "chat":
            body = asked_of_chat(self._model, request, logprobs=logprobs, stream=False)
        else:
            body = asked_of_responses(self._model, request, logprobs=logprobs)
        return canonical_bytes({"custom_id": custom_id, "method": "POST", "url": _URL[self._how.api], "body": body})

    async def upload(self, key: str, lines: Sequence[bytes]) -> str:
        """Upload the input file; OpenAI deletes it after 30 days."""
        async with self._client() as client:
            file = (f"hitl-{key[:24]}.jsonl", b"\n".join(lines) + b"\n", "application/jsonl")
            raw = await client.files.with_raw_response.create(file=file, purpose="batch")
            return given_id(json_object(raw.http_response.content))

    async def create(self, key: str, lines: Sequence[bytes], uploaded: str | None) -> str:  # noqa: ARG002
        """Make the batch of an uploaded file; it carries the key as metadata."""
        async with self._client() as client:
            raw = await client.batches.with_raw_response.create(
                completion_window="24h",
                endpoint=_URL[self._how.api],
                input_file_id=uploaded or "",
                metadata={_METADATA: key},
            )
            return given_id(json_object(raw.http_response.content))

    async def find(self, sought: SoughtBatch) -> FoundBatches:
        """The batches with our key in their metadata."""
        async with self._client() as client:
            # All pages: nothing says that OpenAI lists the newest first.
            found = [
                (batch.created_at, check_id(batch.id))
                async for batch in client.batches.list(limit=100)
                if isinstance(batch.metadata, dict) and batch.metadata.get(_METADATA) == sought.key
            ]
        return FoundBatches(ids=tuple(batch_id for _, batch_id in sorted(found)))

    async def look(self, batch_id: str) -> BatchLook:
        """How the batch stands."""
        data = await self._retrieve(batch_id)
        status = str(data.get("status", ""))
        return BatchLook(
            ended=status in _ENDED,
            status=status,
            ended_at=_moment(data.get(_ENDED.get(status, ""))),
            results=_results(data.get("request_counts")) if data.get("output_file_id") else None,
        )

    async def results(self, batch_id: str) -> AsyncGenerator[BatchResult, None]:
        """The lines of the output file and of the error file; a batch that failed as a whole has neither.

        A file that OpenAI has deleted, after 30 days, has no lines any more.
        """
        data = await self._retrieve(batch_id)
        async with self._client() as client:
            for name in ("output_file_id", "error_file_id"):
                if data.get(name):
                    async with aclosing(self._lines(client, check_id(data[name]))) as results:
                        async for result in results:
                            yield result

    async def cancel(self, batch_id: str) -> None:
        """Ask for no more answers."""
        async with self._client() as client:
            await client.batches.with_raw_response.cancel(check_id(batch_id))

    async def _lines(self, client: openai.AsyncOpenAI, file_id: str) -> AsyncGenerator[BatchResult, None]:
        content = client.files.with_streaming_response.content(file_id)
        with suppress(openai.NotFoundError):
            async with content as response, aclosing(json_lines(response.iter_bytes())) as lines:
                async for line in lines:
                    yield _result(line, self._model)

    async def _retrieve(self, batch_id: str) -> dict[str, Any]:
        async with self._client() as client:
            raw = await client.batches.with_raw_response.retrieve(check_id(batch_id))
            return json_object(raw.http_response.content)

    def _client(self) -> AbstractAsyncContextManager[openai.AsyncOpenAI]:
        return batch_client(openai, openai.AsyncOpenAI, self._endpoint, self._call)


def _result(line: dict[str, Any] | None, model: str) -> BatchResult:
    custom_id = line.get("custom_id") if line else None
    if line is None or not isinstance(custom_id, str):
        return BatchResult(custom_id=None, problem="the line cannot be read")
    response = line.get("response")
    if not isinstance(response, dict):
        return BatchResult(custom_id=custom_id, problem=_problem("no response", line.get("error")))
    body, status = response.get("body"), response.get("status_code")
    if status != 200 or not isinstance(body, dict):
        error = body.get("error") if isinstance(body, dict) else None
        return BatchResult(custom_id=custom_id, problem=_problem(f"HTTP {status}", error))
    reply = _reply(body, model, response.get("request_id"))
    return BatchResult(custom_id=custom_id, reply=reply, problem="" if reply else "the reply cannot be read")


def _problem(what: str, error: object) -> str:
    """What went wrong by the provider's own name for it, not in its words: they may quote the prompt."""
    code = (error.get("code") or error.get("type")) if isinstance(error, dict) else None
    return f"{what} {code[:64]}" if isinstance(code, str) else what


def _reply(body: dict[str, Any], model: str, request_id: object) -> Reply | None:
    """Read as leniently as every reply; what is none at all is told here and not raised."""
    found = request_id if isinstance(request_id, str) else None
    try:
        if body.get("object") == "response":
            return responses_reply(Answered(read_as(ResponsesBody, body), found), model)
        return chat_reply(Answered(read_as(ChatBody, body), found), model)
    except (CutOff, ErrorInReply, ValueError):
        return None


def _results(counts: object) -> int | None:
    """Lines of the output file; those of the error file are counted apart, and not always told."""
    done = counts.get("completed") if isinstance(counts, dict) else None
    return done if isinstance(done, int) else None


def _moment(seconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None
    except (ValueError, OverflowError, OSError):
        return None
