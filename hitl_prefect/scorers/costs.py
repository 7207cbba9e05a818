"""What asking cost: several calls together, and a call that several scorers share counted once."""

from collections.abc import Iterable
from typing import TypeVar

from hitl_prefect.messages import Message
from hitl_prefect.protocols import Decided, Question, Reply, Request
from hitl_prefect.scorers.base import Asker

__all__ = ["BilledOnce", "together"]

R = TypeVar("R", Reply, Decided)


def together(costs: Iterable[float | None]) -> float | None:
    """The sum in US dollars; `None` where one of them is not known, or there are none.

    >>> together([0.5, 0.25])
    0.75
    """
    found = list(costs)
    known = [cost for cost in found if cost is not None]
    return sum(known) if known and len(known) == len(found) else None


class BilledOnce:
    """An asker for all scorers of one draft: what one of them has paid for costs the next one nothing.

    So the costs of the parts of a score add up to what was spent.
    """

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.request, self.drafted_by, self.second = asker.request, asker.drafted_by, asker.second
        self._billed: list[Reply | Decided] = []

    async def ask(self, request: Request, *, model: str | None = None, sample: int = 0) -> Reply:
        """Ask a model; see `Asker.ask`."""
        return self._bill(await self._asker.ask(request, model=model, sample=sample))

    async def settle(self) -> None:
        """Wait for what is still under way; see `Asker.settle`."""
        await self._asker.settle()

    async def aclose(self) -> None:
        """Stop what is still under way; see `Asker.aclose`."""
        await self._asker.aclose()

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...], *, model: str) -> Decided:
        """Ask a decider; see `Asker.decide`."""
        return self._bill(await self._asker.decide(messages, questions, model=model))

    def _bill(self, reply: R) -> R:
        if any(reply is one for one in self._billed):
            return reply.model_copy(update={"cost_usd": 0.0})
        self._billed.append(reply)
        return reply
