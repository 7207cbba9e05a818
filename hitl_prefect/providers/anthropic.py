"""Claude, behind Anthropic's API."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import anthropic
from anthropic.types import JSONOutputFormatParam, Message, MessageParam
from pydantic import SecretStr

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.errors import ConfigError
from hitl_prefect.messages import Message as OurMessage
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Batches, OnText, Reply, Request
from hitl_prefect.providers._clients import client_of, sending
from hitl_prefect.providers._wire import Call, CutOff, Endpoint, Failure, endpoint, json_object

__all__ = ["AnthropicProvider"]

_FINISH: dict[str | None, Literal["length", "refusal"]] = {
    "refusal": "refusal",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}


class AnthropicProvider:
    """A model behind Anthropic's API, which gives no token log probabilities.

    Connections are kept open for as long as the event loop runs: the loop of one Prefect task is not that of the next.

    Args:
        model: Its name, such as `claude-haiku-4-5`.
        api_key: `ANTHROPIC_API_KEY` where not given.
        base_url: `ANTHROPIC_BASE_URL` where not given, and Anthropic itself where that is not set.
        timeout_s: The longest that one call may take, all in all.

    Raises:
        ConfigError: If there is no key, or the base URL is no web address.
    """

    name = "anthropic"

    def __init__(
        self, model: str, *, api_key: SecretStr | None = None, base_url: str | None = None, timeout_s: float = 120
    ) -> None:
        self.model = model
        self._endpoint = endpoint("anthropic", api_key, base_url, timeout_s)

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:  # noqa: ARG002
        """Ask once.

        Raises:
            ConfigError: If the answer type cannot be described to Claude.
            RateLimited, ProviderUnavailable: Trying again can help.
            ProviderDenied: It cannot.
        """
        with _translated(Call(self.model, self._endpoint, request)):
            async with asyncio.timeout(self._endpoint.timeout_s):
                client = await client_of(self._endpoint, _client)
                return (await self._post(client, request)).reply(self.model)

    def batches(self) -> Batches:
        """The batch endpoint: an answer within a day, at half the price."""
        from hitl_prefect.providers._anthropic_batch import AnthropicBatches

        return AnthropicBatches(self, self._endpoint)

    async def _post(self, client: anthropic.AsyncAnthropic, request: Request) -> "_Answered":
        # `create`, not `parse`, which raises where the text does not validate, and the text would be lost.
        raw = await client.messages.with_raw_response.create(
            model=self.model,
            max_tokens=request.max_tokens,
            system=_system(request) or anthropic.omit,
            messages=_messages(request),
            output_config={"format": _format(answer_type(request.answer), request.ask_confidence)},
        )
        return _Answered(raw.http_response.content, raw.request_id)


def _client(endpoint: Endpoint) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        api_key=endpoint.key.get_secret_value(),
        base_url=endpoint.base_url,
        max_retries=0,
        http_client=anthropic.DefaultAsyncHttpxClient(**sending(endpoint)),
    )


@contextmanager
def _translated(call: Call) -> Iterator[None]:
    try:
        yield
    except anthropic.APIStatusError as exc:
        # Without its cause: the SDK's message quotes the body, and the body may quote the prompt or the key.
        raise call.refused(_failure(exc)) from None
    except (anthropic.APITimeoutError, TimeoutError) as exc:
        raise call.timed_out() from exc
    except (anthropic.APIConnectionError, CutOff) as exc:
        raise call.lost(exc) from exc


@dataclass(frozen=True)
class _Answered:
    body: bytes
    request_id: str | None

    def reply(self, model: str) -> Reply:
        """What stands in the body.

        Raises:
            CutOff: If there is no content in it.
        """
        data = json_object(self.body)
        if not isinstance(data.get("content"), list):
            raise CutOff("the reply holds no content")
        message = Message.construct(**{"model": model, "usage": None, **data})
        return Reply(
            text="".join(block.text for block in message.content if block.type == "text"),
            finish=_FINISH.get(message.stop_reason, "stop"),
            model=message.model,
            usage=_usage(message),
            request_id=self.request_id,
        )


def _system(request: Request) -> str:
    return "\n\n".join(one.text for one in request.messages if one.role == "system")


def _messages(request: Request) -> list[MessageParam]:
    return [_message(one) for one in request.messages if one.role != "system"]


def _message(message: OurMessage) -> MessageParam:
    if message.role == "assistant":
        return {"role": "assistant", "content": message.text}
    return {"role": "user", "content": message.text}


@lru_cache(maxsize=256)
def _format(answer: AnswerType, ask_confidence: bool) -> JSONOutputFormatParam:
    """The JSON schema as `parse` sends it; made once per answer type, since making it takes 2 ms."""
    draft = answer.draft_model(ask_confidence=ask_confidence)
    try:
        return {"type": "json_schema", "schema": anthropic.transform_schema(draft)}
    except ValueError as exc:
        raise ConfigError(f"answer={answer.answer!r} cannot be described to Claude: {exc}") from exc


def _usage(message: Message) -> Usage:
    if message.usage is None:
        return Usage()
    return Usage(input_tokens=message.usage.input_tokens, output_tokens=message.usage.output_tokens)


def _failure(exc: anthropic.APIStatusError) -> Failure:
    code, message = exc.error_code or exc.type, exc.api_message
    return Failure(exc.status_code, str(code or ""), str(message or ""), exc.response.headers)
