"""OpenAI, or any server that speaks one of its protocols."""

import asyncio

import openai
from pydantic import SecretStr

from hitl_prefect.batch_protocol import Batches
from hitl_prefect.messages import Message
from hitl_prefect.protocols import Decided, OnText, Question, Reply, Request
from hitl_prefect.providers._apis import Api, ApiInUse, Known, blames_the_api, other_than, usual_api
from hitl_prefect.providers._chat import ChatAssembly, ChatBody, asked_of_chat, chat_reply
from hitl_prefect.providers._clients import client_of, sending
from hitl_prefect.providers._decisions import DecisionBody, asked_of_decisions, decided
from hitl_prefect.providers._endpoint import Endpoint, endpoint
from hitl_prefect.providers._exchange import Operation, Streamable, exchange, exchange_either
from hitl_prefect.providers._memory import known, remember
from hitl_prefect.providers._responses import ResponsesAssembly, ResponsesBody, asked_of_responses, responses_reply
from hitl_prefect.providers._wire import Call, translated

__all__ = ["OpenAIProvider"]

_OPENAI = "https://api.openai.com/v1"
_CHAT = Streamable("/chat/completions", ChatBody, "x-request-id", ChatAssembly)
_RESPONSES = Streamable("/responses", ResponsesBody, "x-request-id", ResponsesAssembly)
_DECISIONS = Operation("/decisions", DecisionBody, "x-request-id")
_NO_LOGPROBS = "no-logprobs"
_OTHER_API = "other-api"
_FACTS = (_NO_LOGPROBS, _OTHER_API)
"""What a model may turn out to be like; each is found out by a refused request, and kept for a week."""


class OpenAIProvider:
    """A model behind OpenAI's API.

    Two protocols lead to it. `auto` uses Responses for the models that reason, at OpenAI itself, and Chat Completions
    for its older models (`gpt-4…`, `gpt-3.5…`, `chatgpt-4o…`) and at any other address. Where the server says that the
    model is served by the other one, that one is used.

    Token log probabilities are asked for until the model refuses them once. Both facts are remembered for a week, by
    every process of this user.
    Connections are kept open for as long as the event loop runs: the loop of one Prefect task is not that of the next.

    Args:
        model: Its name, such as `gpt-5-mini`.
        api_key: `OPENAI_API_KEY` where not given.
        base_url: `OPENAI_BASE_URL` where not given, and OpenAI itself where that is not set.
        timeout_s: The longest that one call may take, all in all.
        max_tokens: The most that a reply may take, reasoning included; what the model gives where not given.
        api: `auto`, or the protocol to use, come what may.

    Raises:
        ConfigError: If there is no key, or the base URL is no web address.
    """

    name = "openai"

    def __init__(
        self,
        model: str,
        *,
        api_key: SecretStr | None = None,
        base_url: str | None = None,
        timeout_s: float = 120,
        max_tokens: int | None = None,
        api: Api = "auto",
    ) -> None:
        self.model = model
        self.api = api
        self._endpoint = endpoint("openai", api_key, base_url, timeout_s, max_tokens)

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """Ask once, and once more for each thing that the model turns out not to take.

        Raises:
            RateLimited, ProviderUnavailable: Trying again can help.
            ProviderDenied: It cannot.
        """
        with translated(Call(self.model, self._endpoint, request.messages), openai):
            async with asyncio.timeout(self._endpoint.timeout_s), client_of(self._endpoint, _client) as client:
                return await self._ask(client, self._endpoint.limited(request), on_text)

    def batches(self) -> Batches:
        """The batch endpoint: an answer within a day, at half the price."""
        from hitl_prefect.providers._openai_batch import OpenAIBatches

        return OpenAIBatches(self, self._endpoint)

    @property
    def gives_logprobs(self) -> bool:
        """Until the model has refused them once."""
        address = (self._endpoint.base_url or _OPENAI).rstrip("/")
        return not known(_NO_LOGPROBS, f"{address}/", self.model)

    def known_by_now(self, client: openai.AsyncOpenAI) -> Known:
        """How to ask the model, as far as it was found out; nobody is asked here."""
        facts = {fact for fact in _FACTS if known(fact, str(client.base_url), self.model)}
        return Known(api=self._api(client, facts), logprobs=_NO_LOGPROBS not in facts)

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Decided:
        """Ask all questions about the same messages in one call of the Decisions API, which `gpt-6-luna` serves.

        Raises:
            RateLimited, ProviderUnavailable: Trying again can help.
            ProviderDenied: It cannot.
        """
        asked = asked_of_decisions(self.model, messages, questions)
        with translated(Call(self.model, self._endpoint, messages), openai):
            async with asyncio.timeout(self._endpoint.timeout_s), client_of(self._endpoint, _client) as client:
                return decided(await exchange(client, _DECISIONS, asked), self.model, questions)

    async def _ask(self, client: openai.AsyncOpenAI, request: Request, on_text: OnText | None) -> Reply:
        about = (str(client.base_url), self.model)
        before = {fact for fact in _FACTS if known(fact, *about)}
        facts = set(before)
        while True:
            try:
                reply = await self._post(client, request, on_text, facts)
            except openai.APIStatusError as exc:
                facts.add(self._learned(exc, facts))
            else:
                # Not before: a request that fails in both ways teaches nothing.
                for fact in facts - before:
                    remember(fact, *about)
                return reply

    def _learned(self, exc: openai.APIStatusError, facts: set[str]) -> str:
        """What the refusal says of the model; raised again where that is nothing new."""
        if _refuses_logprobs(exc) and _NO_LOGPROBS not in facts:
            return _NO_LOGPROBS
        if self.api == "auto" and blames_the_api(exc.status_code, exc.message) and _OTHER_API not in facts:
            return _OTHER_API
        raise exc

    async def _post(
        self, client: openai.AsyncOpenAI, request: Request, on_text: OnText | None, facts: set[str]
    ) -> Reply:
        logprobs = request.logprobs and _NO_LOGPROBS not in facts
        if self._api(client, facts) == "chat":
            return await self._chat(client, request, on_text, logprobs)
        return await self._responses(client, request, on_text, logprobs)

    def _api(self, client: openai.AsyncOpenAI, facts: set[str]) -> ApiInUse:
        if self.api != "auto":
            return self.api
        usual = usual_api(self.model, client.base_url.host)
        return other_than(usual) if _OTHER_API in facts else usual

    async def _chat(
        self, client: openai.AsyncOpenAI, request: Request, on_text: OnText | None, logprobs: bool
    ) -> Reply:
        asked = asked_of_chat(self.model, request, logprobs=logprobs, stream=on_text is not None)
        return chat_reply(await exchange_either(client, _CHAT, asked, on_text), self.model)

    async def _responses(
        self, client: openai.AsyncOpenAI, request: Request, on_text: OnText | None, logprobs: bool
    ) -> Reply:
        asked = asked_of_responses(self.model, request, logprobs=logprobs)
        return responses_reply(await exchange_either(client, _RESPONSES, asked, on_text), self.model)


def _client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    how = sending(endpoint)
    return openai.AsyncOpenAI(
        api_key=endpoint.key.get_secret_value(),
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=how["timeout"],
        http_client=openai.DefaultAsyncHttpxClient(**how),
    )


def _refuses_logprobs(exc: openai.APIStatusError) -> bool:
    """Whether the request was refused for asking for log probabilities.

    OpenAI's reasoning models answer 400 with `param` or in words, some models 403, and compatible servers 422.
    """
    return exc.status_code in (400, 403, 422) and ("logprobs" in (exc.param or "") or "logprobs" in exc.message)
