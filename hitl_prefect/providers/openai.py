"""OpenAI, or any server that speaks its chat completions."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.chat.chat_completion import Choice
from openai.types.shared_params import ResponseFormatJSONSchema
from pydantic import SecretStr

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.messages import Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Batches, OnText, Reply, Request, Token
from hitl_prefect.providers._clients import client_of, sending
from hitl_prefect.providers._memory import known, remember
from hitl_prefect.providers._wire import Call, CutOff, Endpoint, Failure, endpoint, json_object

__all__ = ["OpenAIProvider"]

_NO_LOGPROBS = "no-logprobs"


class OpenAIProvider:
    """A model behind OpenAI's API.

    Token log probabilities are asked for until the model refuses them once; for a week it is then asked without, by
    every process of this user.
    Connections are kept open for as long as the event loop runs: the loop of one Prefect task is not that of the next.

    Args:
        model: Its name, such as `gpt-5-mini`.
        api_key: `OPENAI_API_KEY` where not given.
        base_url: `OPENAI_BASE_URL` where not given, and OpenAI itself where that is not set.
        timeout_s: The longest that one call may take, all in all.

    Raises:
        ConfigError: If there is no key, or the base URL is no web address.
    """

    name = "openai"

    def __init__(
        self, model: str, *, api_key: SecretStr | None = None, base_url: str | None = None, timeout_s: float = 120
    ) -> None:
        self.model = model
        self._endpoint = endpoint("openai", api_key, base_url, timeout_s)

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:  # noqa: ARG002
        """Ask once, and once more where the model turns out to give no token log probabilities.

        Raises:
            RateLimited, ProviderUnavailable: Trying again can help.
            ProviderDenied: It cannot.
        """
        with _translated(Call(self.model, self._endpoint, request)):
            async with asyncio.timeout(self._endpoint.timeout_s):
                client = await client_of(self._endpoint, _client)
                return (await self._ask(client, request)).reply(self.model)

    def batches(self) -> Batches:
        """The batch endpoint: an answer within a day, at half the price."""
        from hitl_prefect.providers._openai_batch import OpenAIBatches

        return OpenAIBatches(self, self._endpoint)

    async def _ask(self, client: openai.AsyncOpenAI, request: Request) -> "_Answered":
        model = (str(client.base_url), self.model)
        if known(_NO_LOGPROBS, *model):
            return await self._post(client, request, logprobs=False)
        try:
            return await self._post(client, request, logprobs=True)
        except openai.APIStatusError as exc:
            if not _refuses_logprobs(exc):
                raise
        answered = await self._post(client, request, logprobs=False)
        remember(_NO_LOGPROBS, *model)
        return answered

    async def _post(self, client: openai.AsyncOpenAI, request: Request, *, logprobs: bool) -> "_Answered":
        # `create`, not `parse`, which raises where the text does not validate, and the text would be lost.
        raw = await client.chat.completions.with_raw_response.create(
            model=self.model,
            messages=[_message(one) for one in request.messages],
            response_format=_format(answer_type(request.answer), request.ask_confidence),
            max_completion_tokens=request.max_tokens,
            logprobs=True if logprobs else openai.omit,
            stream=False,
        )
        return _Answered(raw.http_response.content, raw.request_id)


def _client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key=endpoint.key.get_secret_value(),
        base_url=endpoint.base_url,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(**sending(endpoint)),
    )


@contextmanager
def _translated(call: Call) -> Iterator[None]:
    try:
        yield
    except openai.APIStatusError as exc:
        # Without its cause: the SDK's message quotes the body, and the body may quote the prompt or the key.
        raise call.refused(_failure(exc)) from None
    except (openai.APITimeoutError, TimeoutError) as exc:
        raise call.timed_out() from exc
    except (openai.APIConnectionError, CutOff) as exc:
        raise call.lost(exc) from exc


@dataclass(frozen=True)
class _Answered:
    body: bytes
    request_id: str | None

    def reply(self, model: str) -> Reply:
        """What stands in the body, read leniently: compatible servers leave fields out.

        Raises:
            CutOff: If there is no choice in it.
        """
        data = json_object(self.body)
        if not data.get("choices"):
            raise CutOff("the reply holds no choice")
        completion = ChatCompletion.construct(**{"model": model, **data})
        choice = completion.choices[0]
        return Reply(
            text=choice.message.refusal or choice.message.content or "",
            finish=_finish(choice),
            model=completion.model,
            tokens=_tokens(choice),
            usage=_usage(completion),
            request_id=self.request_id,
        )


@lru_cache(maxsize=256)
def _format(answer: AnswerType, ask_confidence: bool) -> ResponseFormatJSONSchema:
    """The strict JSON schema as `parse` sends it; made once per answer type, since making it takes 2 ms."""
    draft = answer.draft_model(ask_confidence=ask_confidence)
    schema = openai.pydantic_function_tool(draft)["function"]["parameters"]
    return {"type": "json_schema", "json_schema": {"name": draft.__name__, "strict": True, "schema": schema}}


def _message(message: Message) -> ChatCompletionMessageParam:
    match message.role:
        case "system":
            return {"role": "system", "content": message.text}
        case "user":
            return {"role": "user", "content": message.text}
        case "assistant":
            return {"role": "assistant", "content": message.text}


def _finish(choice: Choice) -> Literal["stop", "length", "refusal"]:
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return "refusal"
    return "length" if choice.finish_reason == "length" else "stop"


def _tokens(choice: Choice) -> tuple[Token, ...]:
    content = (choice.logprobs.content if choice.logprobs else None) or []
    return tuple(
        Token(text=one.token, logprob=one.logprob, utf8=None if one.bytes is None else tuple(one.bytes))
        for one in content
    )


def _usage(completion: ChatCompletion) -> Usage:
    if completion.usage is None:
        return Usage()
    return Usage(input_tokens=completion.usage.prompt_tokens, output_tokens=completion.usage.completion_tokens)


def _failure(exc: openai.APIStatusError) -> Failure:
    message = exc.body.get("message") if isinstance(exc.body, dict) else None
    return Failure(exc.status_code, str(exc.code or exc.type or ""), str(message or ""), exc.response.headers)


def _refuses_logprobs(exc: openai.APIStatusError) -> bool:
    """Whether the request was refused for asking for log probabilities.

    OpenAI's reasoning models answer 400 with `param`, some models 403, and compatible servers 422, both in words.
    """
    return exc.status_code in (400, 403, 422) and ("logprobs" in (exc.param or "") or "logprobs" in exc.message)
