"""How a flow run stands: what it waits for, what was decided in it, and the exit code that says so."""

from collections.abc import Iterator
from typing import Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, JsonValue, computed_field

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import SHIPS, Outcome, outcome_key

__all__ = ["Decided", "Ending"]

_ENDED_BADLY = ("FAILED", "CRASHED", "CANCELLED")
_WORST_FIRST = (1, 4, 3, 0)
"""A failure needs a look before people do, and a rejection is only the last word when all have spoken."""


class Decided(Frozen):
    """What became of one case. The prompt, the draft and who reviewed it stand in the stored outcome alone."""

    task: str
    case: str
    decision: Literal["accept", "approve", "edit", "reject", "fallback"]
    decided_by: str
    decided_at: AwareDatetime
    final_answer: JsonValue
    key: str
    """Where the outcome stands in its store."""

    @classmethod
    def of(cls, outcome: Outcome[JsonValue]) -> Self:
        """What there is to say of a stored outcome."""
        return cls(
            task=outcome.case.task,
            case=outcome.case.id,
            decision=outcome.decision,
            decided_by=outcome.decided_by,
            decided_at=outcome.decided_at,
            final_answer=outcome.final_answer,
            key=outcome_key(outcome),
        )

    @property
    def ships(self) -> bool:
        """Whether the model was sure or a person let it pass."""
        return self.decision in SHIPS


class Ending(Frozen):
    """How a flow run stands."""

    run_id: UUID
    name: str
    url: str
    """Its page, which holds the form while it waits."""
    state: str
    """As Prefect's UI names it: `Suspended`, `Completed`, `Late`."""
    kind: str
    """Prefect's type of the state: `PAUSED`, `COMPLETED`, `SCHEDULED`."""
    message: str = ""
    """What the state says."""
    decided: tuple[Decided, ...] = ()
    """Once the run is completed, so that what stands here is stored."""
    batches: tuple[BatchSummary, ...] = ()
    """What came of each call of `resolve_cases`."""
    reviews_open: int = 0
    """Of all batches: reviews in flow runs of their own that have not ended."""
    reviews_lost: int = 0
    """Of all batches: reviews whose flow run failed or was cancelled."""

    @computed_field  # type: ignore[prop-decorator]  # https://github.com/python/mypy/issues/1362
    @property
    def code(self) -> int:
        """The exit code: 0 accepted or approved, 1 failed, 3 rejected, 4 still waiting; the worst that anything has."""
        if self.kind in _ENDED_BADLY:
            return 1
        if self.kind != "COMPLETED":
            return 4
        # Fails closed: whoever ships on 0 must not ship because nothing was asked.
        return min(self._codes(), key=_WORST_FIRST.index, default=1)

    @property
    def is_final(self) -> bool:
        """Whether waiting longer changes nothing."""
        return self.kind in _ENDED_BADLY or (self.kind == "COMPLETED" and not self.reviews_open)

    @property
    def says(self) -> str:
        """How it stands, in a sentence."""
        match self.code:
            case 1:
                return self._failed()
            case 4:
                return self._waits()
            case 3:
                return self._not_approved()
        return "accepted or approved"

    def _codes(self) -> Iterator[int]:
        yield from (0 if one.ships else 3 for one in self.decided)
        yield from (_code_of(batch) for batch in self.batches)
        if self.reviews_lost:
            yield 1
        if self.reviews_open:
            yield 4

    def _count(self, name: str) -> int:
        """A number of the summaries, over all batches."""
        return sum(getattr(batch, name) for batch in self.batches)

    def _failed(self) -> str:
        if self.kind in _ENDED_BADLY:
            return f"{self.state}: {self.message}" if self.message else self.state
        if empty := [batch for batch in self.batches if not batch.cases]:
            one = "" if len(self.batches) == 1 else f" of batch {empty[0].batch}"
            aside = empty[0].bad_lines
            return f"completed, and decided no case{one}: the source has none, and {aside} lines were set aside"
        if self.batches:
            return f"{self._count('failed')} cases failed, and {self.reviews_lost} reviews; run the batch again"
        return (
            "completed, and decided no case: only a flow that calls resolve_case(), resolve_cases() or save_outcome() "
            "tells what was decided"
        )

    def _not_approved(self) -> str:
        says = "not approved: rejected, or decided by the policy alone"
        before, forgotten = self._count("rejected_before"), self._count("forgotten")
        return f"{says} ({before} cases before this batch, and {forgotten} forgotten)" if before + forgotten else says

    def _waits(self) -> str:
        if self.reviews_open:
            return f"{self.reviews_open} reviews wait for people or have not ended; `hitl inbox` lists them"
        if held := self._count("held"):
            return f"{held} cases are held for another day's reviews; run the batch again then"
        if before := self._count("waiting_before"):
            return (
                f"{before} cases wait for people, asked about by an earlier batch or run; run the batch again once "
                "they are decided"
            )
        if self.kind == "PAUSED":
            return f"waits for a person: {self.message}; answer at {self.url}, or by `hitl answer {self.run_id}`"
        if self.state == "Late":
            return "no worker has taken it up; `hitl doctor` says why"
        return f"{self.state}: not decided yet"


def _code_of(batch: BatchSummary) -> int:
    """The exit code of a batch whose reviews have ended."""
    if batch.failed or not batch.cases:
        return 1
    if batch.held or batch.waiting_before:
        return 4
    return 3 if batch.unapproved else 0
