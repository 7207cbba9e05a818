"""OpenAI's batch endpoint: a file of chat completions, answered within a day at half the price."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import openai

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.messages import Image, Message
from hitl_prefect.protocols import (
    BatchLimits,
    BatchLook,
    BatchResult,
    FoundBatches,
    Provider,
    Reply,
    Request,
    SoughtBatch,
)
from hitl_prefect.providers._batch_wire import CALL_S, batch_call, check_id, given_id, json_lines, refused
from hitl_prefect.providers._memory import known
from hitl_prefect.providers._wire import CutOff, Endpoint, json_object
from hitl_prefect.providers.openai import _NO_LOGPROBS, _Answered

__all__ = ["OpenAIBatches", "chat_body"]

_METADATA = "hitl_key"
_COMPLETIONS: Literal["/v1/chat/completions"] = "/v1/chat/completions"
_ENDED = {"completed": "completed_at", "expired": "expired_at", "cancelled": "cancelled_at", "failed": "failed_at"}
"""By the status of a batch that has ended: the field that says when."""
_PROBE = Request(messages=(Message(role="user", content="Answer with the word ok."),), answer=str, max_tokens=256)


class OpenAIBatches:
    """The batch endpoint of a model behind OpenAI's API.

    Args:
        provider: Asks the same model at once, to find out what it refuses.
        endpoint: Where to ask.
    """

    limits = BatchLimits(requests=50_000, size_bytes=200_000_000)

    def __init__(self, provider: Provider, endpoint: Endpoint) -> None:
        self._provider, self._model, self._endpoint = provider, provider.model, endpoint
        self._call = batch_call(provider.model, endpoint)
        self._logprobs = True

    async def prepare(self) -> None:
        """Ask the model one small question at once.

        A model that refuses token log probabilities would fail every request of the batch, a day later.
        """
        if not self._refuses_logprobs():
            await self._provider.generate(_PROBE)
        self._logprobs = not self._refuses_logprobs()

    def line(self, custom_id: str, request: Request) -> bytes:
        """One line of the input file; before `prepare` as long as it can get."""
        body = chat_body(self._model, request, logprobs=self._logprobs)
        return canonical_bytes({"custom_id": custom_id, "method": "POST", "url": _COMPLETIONS, "body": body})

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
                endpoint=_COMPLETIONS,
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
        return BatchLook(ended=status in _ENDED, status=status, ended_at=_moment(data.get(_ENDED.get(status, ""))))

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

    def _refuses_logprobs(self) -> bool:
        client = openai.AsyncOpenAI(api_key="none", base_url=self._endpoint.base_url)
        return known(_NO_LOGPROBS, str(client.base_url), self._model)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[openai.AsyncOpenAI]:
        with self._translated():
            async with (
                asyncio.timeout(CALL_S),
                openai.AsyncOpenAI(
                    api_key=self._endpoint.key.get_secret_value(),
                    base_url=self._endpoint.base_url,
                    timeout=openai.Timeout(CALL_S, connect=10),
                    max_retries=0,
                ) as client,
            ):
                yield client

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as exc:
            raise refused(self._call, exc.status_code, exc.code or exc.type, exc.response.headers) from None
        except (openai.APITimeoutError, TimeoutError) as exc:
            raise self._call.timed_out() from exc
        except (openai.APIConnectionError, CutOff, json.JSONDecodeError) as exc:
            raise self._call.lost(exc) from exc


def chat_body(model: str, request: Request, *, logprobs: bool) -> dict[str, Any]:
    """The body of a chat completion, as `client.chat.completions.parse` sends it."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": one.role, "content": _content(one)} for one in request.messages],
        "max_completion_tokens": request.max_tokens,
    }
    if request.structured:
        strict = _strict(answer_type(request.answer), request.ask_confidence)
        body["response_format"] = {"type": "json_schema", "json_schema": strict}
    if logprobs and request.logprobs:
        body |= {"logprobs": True} | ({"top_logprobs": request.top_logprobs} if request.top_logprobs else {})
    return body


@lru_cache(maxsize=64)
def _strict(answer: AnswerType, ask_confidence: bool) -> dict[str, Any]:
    # Kept: it takes 6 ms, and a batch has 50,000 requests.
    draft = answer.draft_model(ask_confidence=ask_confidence)
    schema = openai.pydantic_function_tool(draft)["function"]["parameters"]
    return {"name": draft.__name__, "strict": True, "schema": schema}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not any(isinstance(piece, Image) for piece in message.pieces):
        return message.text
    return [_image(one) if isinstance(one, Image) else {"type": "text", "text": one} for one in message.pieces]


def _image(image: Image) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": image.url or f"data:{image.media_type};base64,{image.data}"}}


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
    try:
        return _Answered(canonical_bytes(body), request_id if isinstance(request_id, str) else None).reply(model)
    except (CutOff, ValueError, TypeError, AttributeError, LookupError):
        # Read leniently, as every reply is; what is no reply at all is told here and not raised.
        return None


def _moment(seconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None
    except (ValueError, OverflowError, OSError):
        return None
