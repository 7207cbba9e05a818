"""What became of a batch of cases, as numbers that add up, and as a table for people."""

from pydantic import AwareDatetime, Field

from hitl_prefect.frozen import Frozen
from hitl_prefect.models import utc

__all__ = ["BatchSummary"]


class BatchSummary(Frozen):
    """What became of a batch of cases.

    `cases` is the sum of `accepted`, `reviews`, `over_budget`, `held`, `failed`, `decided_before` and `waiting_before`.
    Not so for a dry run, which asks nobody: there the rest of `cases` would be asked about, and `cost_usd` is what that
    might cost.
    """

    batch: str
    """Names the batch: the same cases, task, model, store and answer type are the same batch."""
    task: str
    cases: int = Field(ge=0)
    """Good lines of the source."""
    accepted: int = Field(default=0, ge=0)
    """Decided by the model alone."""
    reviews: int = Field(default=0, ge=0)
    """Cases that went to people, those in a group included."""
    forms: int = Field(default=0, ge=0)
    """Forms that were opened for them."""
    over_budget: int = Field(default=0, ge=0)
    """Decided by the policy, since the day had no review left."""
    held: int = Field(default=0, ge=0)
    """Left undecided, since the day had no review left; the next run of the batch goes on with them."""
    failed: int = Field(default=0, ge=0)
    """Cases that the model could not be asked about; the next run of the batch asks again."""
    decided_before: int = Field(default=0, ge=0)
    """Cases that had an outcome already, the next two included."""
    rejected_before: int = Field(default=0, ge=0)
    """Of these: rejected, or decided by the policy's fallback alone."""
    forgotten: int = Field(default=0, ge=0)
    """Of these: the outcome was forgotten, and nothing stands."""
    waiting_before: int = Field(default=0, ge=0)
    """Cases that an earlier batch or another run has asked people about, and that nobody has decided yet; the next run
    of the batch looks again."""
    bad_lines: int = Field(default=0, ge=0)
    """Lines that tell no case, set aside."""
    cost_usd: float | None = Field(default=None, ge=0)
    """What the model calls cost, as far as it is known; `None` where it is not known of any."""
    seconds: float = Field(default=0, ge=0)
    """Wall time of the runs of the batch."""
    people: dict[str, int] = Field(default_factory=dict)
    """How the reviews ended, by decision: once the last one is settled."""
    ended_at: AwareDatetime | None = None
    """When the last review was settled; `None` while some wait."""

    def markdown(self) -> str:
        """The summary as a table, in which nothing is empty that was counted."""
        counted = [(words, getattr(self, name)) for name, words in _TOLD.items()]
        rows = [f"| {words} | {count:,} |" for words, count in counted if count]
        rows += [f"| of them: {_DECIDED.get(one, one)} | {count:,} |" for one, count in self.people.items()]
        cost = "unknown" if self.cost_usd is None else f"{self.cost_usd:,.4f} USD"
        head = f"**Batch `{self.batch}` of `{self.task}`: {self.cases:,} cases.** {self._standing}"
        return "\n".join(
            [head, "", "| | |", "| --- | ---: |", *rows, f"| cost | {cost} |", f"| time | {self.seconds:,.1f} s |"]
        )

    @property
    def left(self) -> int:
        """Cases that none of the counts tells of: what a dry run would ask about, and else none."""
        counted: list[int] = [getattr(self, name) for name in _PARTS]
        return self.cases - sum(counted)

    @property
    def unapproved(self) -> int:
        """Cases that nobody lets ship, whenever that was decided."""
        by_people = self.people.get("reject", 0) + self.people.get("fallback", 0)
        return self.over_budget + by_people + self.rejected_before + self.forgotten

    @property
    def _standing(self) -> str:
        if self.ended_at is not None:
            return f"Every review is settled, the last one {utc(self.ended_at)}."
        if self.forms:
            return f"{self.forms:,} forms wait for people."
        return "Nobody more has to be asked." if self.waiting_before else "Nobody has to be asked."


_PARTS = ("accepted", "reviews", "over_budget", "held", "failed", "decided_before", "waiting_before")
"""What `cases` is the sum of."""
_TOLD = {
    "accepted": "decided by the model alone",
    "decided_before": "had an outcome already",
    "rejected_before": "of them: rejected, or decided by the policy alone",
    "forgotten": "of them: forgotten",
    "waiting_before": "asked about by an earlier batch or run, and not decided yet",
    "reviews": "sent to people",
    "over_budget": "decided by the policy, over the day's reviews",
    "held": "held for another day, over the day's reviews",
    "failed": "failed: the model could not be asked",
    "bad_lines": "lines set aside",
}
_DECIDED = {"approve": "approved", "edit": "edited", "reject": "rejected", "fallback": "took the fallback"}
