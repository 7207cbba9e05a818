"""Anthropic's batch endpoint: message requests in one body, answered within a day at half the price."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import datetime
from typing import Any

import anthropic
from anthropic.types.messages import MessageBatch

from hitl_prefect.batch_protocol import BatchLimits, BatchLook, BatchResult, FoundBatches, SoughtBatch
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.protocols import Provider, Reply, Request
from hitl_prefect.providers._batch_wire import batch_call, batch_client, check_id, given_id, json_lines
from hitl_prefect.providers._claude import MessageBody, asked_of_messages, message_reply
from hitl_prefect.providers._endpoint import Endpoint
from hitl_prefect.providers._events import json_object
from hitl_prefect.providers._exchange import Answered, read_as
from hitl_prefect.providers._wire import CutOff

__all__ = ["AnthropicBatches"]


class AnthropicBatches:
    """The batch endpoint of a model behind Anthropic's API.

    A batch carries nothing of ours but the `custom_id` of each request, and shows those only when it has ended.

    Args:
        provider: The same model, asked at once.
        endpoint: Where to ask.
    """

    limits = BatchLimits(requests=100_000, size_bytes=256_000_000)

    def __init__(self, provider: Provider, endpoint: Endpoint) -> None:
        self._model, self._endpoint = provider.model, endpoint
        self._call = batch_call(provider.model, endpoint)

    async def prepare(self) -> None:
        """Nothing has to be found out."""

    def line(self, custom_id: str, request: Request) -> bytes:
        """One of the requests."""
        return canonical_bytes(
            {"custom_id": custom_id, "params": asked_of_messages(self._model, self._endpoint.limited(request))}
        )

    async def upload(self, key: str, lines: Sequence[bytes]) -> None:
        """The requests go with the call that makes the batch."""

    async def create(self, key: str, lines: Sequence[bytes], uploaded: str | None) -> str:  # noqa: ARG002
        """Make the batch."""
        async with self._client() as client:
            raw = await client.messages.batches.with_raw_response.create(requests=[json.loads(line) for line in lines])
            return given_id(json_object(raw.http_response.content))

    async def find(self, sought: SoughtBatch) -> FoundBatches:
        """The batches whose results bear our key, and those of the same size that are still under way."""
        ids, doubtful = [], []
        for batch in await self._since(sought):
            if batch.processing_status != "ended":
                doubtful.append(check_id(batch.id))
            elif await self._is_ours(batch, sought.prefix):
                ids.append(check_id(batch.id))
        return FoundBatches(ids=tuple(reversed(ids)), doubtful=tuple(doubtful))

    async def _since(self, sought: SoughtBatch) -> list[MessageBatch]:
        """What may be ours, the newest first: of the same size, and nobody else's."""
        found = []
        async with self._client() as client:
            async for batch in client.messages.batches.list(limit=100):
                if batch.created_at < sought.since:
                    break  # Anthropic lists the newest first
                if _size(batch) == sought.requests and batch.id not in sought.claimed:
                    found.append(batch)
        return found

    async def _is_ours(self, batch: MessageBatch, prefix: str) -> bool:
        async with aclosing(self.results(check_id(batch.id))) as results:
            async for result in results:
                if result.custom_id is not None:
                    return result.custom_id.startswith(prefix)
        return False

    async def look(self, batch_id: str) -> BatchLook:
        """How the batch stands."""
        data = await self._retrieve(batch_id)
        status = str(data.get("processing_status", ""))
        return BatchLook(
            ended=status == "ended",
            status=status,
            ended_at=_moment(data.get("ended_at")),
            results=_results(data.get("request_counts")),
        )

    async def results(self, batch_id: str) -> AsyncGenerator[BatchResult, None]:
        """The lines of the results; none where Anthropic has deleted them, after 29 days."""
        if not (await self._retrieve(batch_id)).get("results_url"):
            return
        async with self._client() as client:
            streaming = client.messages.batches.with_streaming_response.results(check_id(batch_id))
            async with streaming as response, aclosing(json_lines(response.iter_bytes())) as lines:
                async for line in lines:
                    yield _result(line, self._model)

    async def cancel(self, batch_id: str) -> None:
        """Ask for no more answers."""
        async with self._client() as client:
            await client.messages.batches.with_raw_response.cancel(check_id(batch_id))

    async def _retrieve(self, batch_id: str) -> dict[str, Any]:
        async with self._client() as client:
            raw = await client.messages.batches.with_raw_response.retrieve(check_id(batch_id))
            return json_object(raw.http_response.content)

    def _client(self) -> AbstractAsyncContextManager[anthropic.AsyncAnthropic]:
        return batch_client(anthropic, anthropic.AsyncAnthropic, self._endpoint, self._call)


def _results(counts: object) -> int | None:
    """Every request has a line in the results, however it ended."""
    if not isinstance(counts, dict) or not all(isinstance(count, int) for count in counts.values()):
        return None
    return sum(int(count) for name, count in counts.items() if name != "processing")


def _size(batch: MessageBatch) -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _result(line: dict[str, Any] | None, model: str) -> BatchResult:
    custom_id, result = (line.get("custom_id"), line.get("result")) if line else (None, None)
    if not isinstance(custom_id, str) or not isinstance(result, dict):
        return BatchResult(custom_id=None, problem="the line cannot be read")
    message = result.get("message")
    if result.get("type") != "succeeded" or not isinstance(message, dict):
        return BatchResult(custom_id=custom_id, problem=_problem(result))
    reply = _reply(message, model)
    return BatchResult(custom_id=custom_id, reply=reply, problem="" if reply else "the reply cannot be read")


def _problem(result: dict[str, Any]) -> str:
    """What went wrong by the provider's own name for it, not in its words: they may quote the prompt."""
    error = result.get("error")
    inner = error.get("error") if isinstance(error, dict) else None
    code = inner.get("type") if isinstance(inner, dict) else None
    return " ".join(word[:64] for word in (result.get("type"), code) if isinstance(word, str)) or "no result"


def _reply(message: dict[str, Any], model: str) -> Reply | None:
    """Read as leniently as every reply; what is none at all is told here and not raised."""
    try:
        return message_reply(Answered(read_as(MessageBody, message), None), model)
    except (CutOff, ValueError):
        return None


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
