"""Ask on behalf of scorers: equal questions once, each with its cost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hitl_prefect.answers import answer_type
from hitl_prefect.canonical import sha256_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.messages import Message
from hitl_prefect.prices import cost_usd
from hitl_prefect.protocols import Decided, Decider, Provider, Question, Reply, Request
from hitl_prefect.scorers.base import SECOND

__all__ = ["DirectAsker", "ask_priced", "question_key"]

T = TypeVar("T")

Resolve = Callable[[str], Awaitable[Provider]]
"""From `provider:name`, or the name of a block, to the provider."""


async def ask_priced(provider: Provider, request: Request) -> Reply:
    """Ask once, and put the price on the reply."""
    reply = await provider.generate(request)
    cost = cost_usd(provider.name, reply.model, reply.usage)
    return reply.model_copy(update={"provider": provider.name, "cost_usd": cost})


async def decide_priced(provider: Provider, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Decided:
    """Ask a decider once, and put the price on what it decided.

    Raises:
        ConfigError: If the provider is no decider.
    """
    if not isinstance(provider, Decider):
        raise ConfigError(f"{provider.name}:{provider.model} is no decider; name one, such as 'openai:gpt-6-luna'")
    decided = await provider.decide(messages, questions)
    # What a decider answers is free: https://developers.openai.com/api/docs/pricing
    usage = decided.usage.model_copy(update={"output_tokens": 0})
    cost = cost_usd(provider.name, decided.model, usage)
    return decided.model_copy(update={"provider": provider.name, "cost_usd": cost})


def question_key(model: str, request: Request, sample: int) -> str:
    """Names a question: the same model, prompt, answer type and sample number always have the same key."""
    asked = [model, request.model_dump(mode="json"), answer_type(request.answer).json_schema, sample]
    return sha256_of(asked)[:24]


class DirectAsker:
    """Asks at once, in this process; a question that is under way or answered is not asked again.

    Args:
        request: What the draft was asked with.
        drafted_by: The model that drafted.
        second: What `SECOND` stands for.
        resolve: Finds a provider by its name.
    """

    def __init__(self, request: Request, *, drafted_by: str, second: str | None, resolve: Resolve) -> None:
        self.request, self.drafted_by, self.second = request, drafted_by, second
        self._resolve = resolve
        self._asked: dict[str, asyncio.Future[Any]] = {}

    async def ask(self, request: Request, *, model: str | None = None, sample: int = 0) -> Reply:
        """Ask a model; see `Asker.ask`."""
        name = self._named(model)
        key = question_key(name, request, sample)
        return await self._once(key, lambda: self._ask(key, name, request))

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...], *, model: str) -> Decided:
        """Ask a decider; see `Asker.decide`."""
        name = self._named(model)
        asked = [name, [one.model_dump(mode="json") for one in (*messages, *questions)]]
        key = sha256_of(asked)[:24]
        return await self._once(key, lambda: self._decide(key, name, messages, questions))

    async def settle(self) -> None:
        """Wait for what is still under way: it is paid for, and must not be lost."""
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def aclose(self) -> None:
        """Stop what is still under way; for whoever gave up the draft, since nobody waits for it any more."""
        for asked in self._asked.values():
            asked.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    def _named(self, model: str | None) -> str:
        if model != SECOND:
            return model or self.drafted_by
        if self.second is None:
            raise ConfigError("there is no second model: set the policy's second_model, or the other provider's key")
        return self.second

    async def _once(self, key: str, ask: Callable[[], Awaitable[T]]) -> T:
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(ask())
        found: T = await asyncio.shield(self._asked[key])
        return found

    async def _ask(self, key: str, model: str, request: Request) -> Reply:  # noqa: ARG002 - a journal needs the key
        return await ask_priced(await self._resolve(model), request)

    async def _decide(
        self,
        key: str,  # noqa: ARG002
        model: str,
        messages: tuple[Message, ...],
        questions: tuple[Question, ...],
    ) -> Decided:
        return await decide_priced(await self._resolve(model), messages, questions)
