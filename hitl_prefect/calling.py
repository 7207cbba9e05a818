"""How a task calls a model: within the rate limits that all workers share, and within the flow run's budget."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import ceil
from time import perf_counter
from typing import TypeVar

from prefect.logging import get_logger

from hitl_prefect.configured import provider_of
from hitl_prefect.errors import HitlError
from hitl_prefect.limits import slots, take_tokens
from hitl_prefect.messages import Message
from hitl_prefect.models import Usage
from hitl_prefect.prices import price_table
from hitl_prefect.protocols import Decided, Decider, OnText, Provider, Question, Reply, Request
from hitl_prefect.spending import stop_if_spent

__all__ = ["expected_tokens", "model_to_ask"]

Answered = TypeVar("Answered", Reply, Decided)

_BYTES_PER_TOKEN = 4
_FIRST_GUESS = 256
"""Output tokens of a model that this process has not heard yet."""

_heard: dict[str, tuple[int, float]] = {}
"""By model: how many answers this process has had, and their mean length in tokens."""


@asynccontextmanager
async def model_to_ask(model: str, known: Provider | None = None) -> AsyncIterator[Provider]:
    """The provider of `provider:name` or of a block; its calls hold the shared slots, and none begins past the budget.

    Whoever asks the same model many times gives the provider that is `known`: a block is not read again.

    Slots are held only while a call is under way. Record the answer within the block: at its end the tokens that were
    used beyond the estimate are taken too, which may have to wait.

    Raises:
        ConfigError: If there is no such model, or the file that `HITL_PRICES` names cannot be read.
    """
    price_table()
    provider = known or await provider_of(model)
    called = _CalledDecider(provider, provider) if isinstance(provider, Decider) else _Called(provider)
    yield called
    await _settle(provider.name, called.beyond)


async def _settle(provider: str, tokens: int) -> None:
    """Take what was used beyond the estimate; the answer is recorded, so no failure here may have it asked again."""
    try:
        await take_tokens(provider, tokens)
    except HitlError as exc:
        get_logger(__name__).warning("%d tokens of %s were used and not taken: %s", tokens, provider, exc)


class _Called:
    """A provider, called within the limits."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name, self.model = provider.name, provider.model
        self.gives_logprobs = provider.gives_logprobs
        self.beyond = 0
        """Tokens used beyond what was taken."""

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """See `Provider.generate`."""
        prompt = "".join(message.text for message in request.messages)
        return await self._call(prompt, lambda: self._provider.generate(request, on_text=on_text))

    async def _call(self, prompt: str, ask: Callable[[], Awaitable[Answered]]) -> Answered:
        expected = expected_tokens(f"{self.name}:{self.model}", prompt)
        async with slots(self.name, expected):
            await stop_if_spent(f"{self.name}:{self.model}")
            begun = perf_counter()
            answered = await ask()
            took_s = round(perf_counter() - begun, 6)
        self.beyond += max(0, _hear(f"{self.name}:{self.model}", answered.usage) - expected)
        return answered.model_copy(update={"latency_s": took_s}) if isinstance(answered, Reply) else answered


class _CalledDecider(_Called):
    """A provider that decides, too."""

    def __init__(self, provider: Provider, decider: Decider) -> None:
        super().__init__(provider)
        self._decider = decider

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Decided:
        """See `Decider.decide`."""
        prompt = "".join([*(one.text for one in messages), *(one.instructions for one in questions)])
        return await self._call(prompt, lambda: self._decider.decide(messages, questions))


def expected_tokens(model: str, prompt: str) -> int:
    """What a call may use: a token per four bytes of UTF-8, and the mean length of the model's answers in this process.

    >>> expected_tokens("openai:never-heard", "Where is my parcel?")
    261
    """
    _, mean = _heard.get(model, (0, float(_FIRST_GUESS)))
    return ceil(len(prompt.encode("utf-8", "replace")) / _BYTES_PER_TOKEN) + ceil(mean)


def _hear(model: str, usage: Usage) -> int:
    """Learn how long the model's answers are; returns what was used, as far as the provider counted."""
    if usage.output_tokens is not None:
        count, mean = _heard.get(model, (0, 0.0))
        _heard[model] = (count + 1, mean + (usage.output_tokens - mean) / (count + 1))
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)
