"""How a task calls a model: within the flow run's budget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hitl_prefect.configured import provider_of
from hitl_prefect.messages import Message
from hitl_prefect.prices import price_table
from hitl_prefect.protocols import Decided, Decider, OnText, Provider, Question, Reply, Request
from hitl_prefect.spending import stop_if_spent

__all__ = ["model_to_ask"]


@asynccontextmanager
async def model_to_ask(model: str) -> AsyncIterator[Provider]:
    """The provider of `provider:name` or of a block; no call begins past the budget.

    Raises:
        ConfigError: If there is no such model, or the file that `HITL_PRICES` names cannot be read.
    """
    price_table()
    provider = await provider_of(model)
    called = _CalledDecider(provider, provider) if isinstance(provider, Decider) else _Called(provider)
    yield called


class _Called:
    """A provider, called within the budget."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name, self.model = provider.name, provider.model

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """See `Provider.generate`."""
        await stop_if_spent(f"{self.name}:{self.model}")
        return await self._provider.generate(request, on_text=on_text)


class _CalledDecider(_Called):
    """A provider that decides, too."""

    def __init__(self, provider: Provider, decider: Decider) -> None:
        super().__init__(provider)
        self._decider = decider

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Decided:
        """See `Decider.decide`."""
        await stop_if_spent(f"{self.name}:{self.model}")
        return await self._decider.decide(messages, questions)
