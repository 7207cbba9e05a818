"""What a batch has spent on models, and that it stops at its policy's `max_cost_usd`."""

from hitl_prefect.errors import BudgetSpent

__all__ = ["Purse"]


class Purse:
    """Counts what the calls of a batch cost.

    Calls under way are not counted: together they may pass the limit by what they cost.

    Args:
        limit_usd: The most to spend; `None`: no limit.
        spent_usd: What earlier runs of the batch have spent.

    >>> purse = Purse(1.0, spent_usd=0.75)
    >>> purse.pay(0.5)
    >>> purse.check("openai:gpt-5-mini")
    Traceback (most recent call last):
    ...
    hitl_prefect.errors.BudgetSpent: the batch has spent $1.25 of max_cost_usd=1: the next call, to openai:gpt-5-mini, \
was not made. Raise max_cost_usd in the policy and run the batch again: what was paid for is kept
    """

    def __init__(self, limit_usd: float | None = None, *, spent_usd: float = 0) -> None:
        self._limit_usd, self.spent_usd = limit_usd, spent_usd
        self.unknown = False
        """Whether something was asked whose cost nobody knows."""

    def pay(self, cost_usd: float | None) -> None:
        """Count a call; `None` where nobody knows what it cost."""
        self.unknown = self.unknown or cost_usd is None
        self.spent_usd += cost_usd or 0

    def check(self, model: str) -> None:
        """Called right before a call to `model`.

        Raises:
            BudgetSpent: If the batch has spent its budget, or nobody knows what it has spent.
        """
        if self._limit_usd is None:
            return
        if self.unknown:
            raise BudgetSpent(
                f"max_cost_usd={self._limit_usd:g} cannot be held, and the next call, to {model}, was not made: what a "
                "call of the batch cost is not known, since no tokens were counted or no price stands under the name "
                "of the model that answered; give the price in HITL_PRICES, or drop max_cost_usd"
            )
        if self.spent_usd >= self._limit_usd:
            raise BudgetSpent(
                f"the batch has spent ${self.spent_usd:.6g} of max_cost_usd={self._limit_usd:g}: the next call, to "
                f"{model}, was not made. Raise max_cost_usd in the policy and run the batch again: what was paid for "
                "is kept"
            )
