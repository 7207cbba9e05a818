"""Semantic entropy: how far do further answers scatter in meaning?

Source: Farquhar, Kossen, Kuhn, Gal (2024), Nature 630, in its discrete variant. Which
answers mean the same is told by equality, or by one question to a model, not by an entailment model, which would need
a deep-learning framework.
"""

from typing import Literal

from pydantic import Field

from hitl_prefect.models import Case, Part
from hitl_prefect.protocols import Request
from hitl_prefect.scorers.base import Asking, Sitting, Wanted
from hitl_prefect.scorers.clusters import concentration, gathered, sizes
from hitl_prefect.scorers.costs import together
from hitl_prefect.scorers.grouping import grouped
from hitl_prefect.scorers.sampling import asked, reading_of, samples

__all__ = ["SemanticEntropy"]


class SemanticEntropy(Asking):
    """1 - entropy of the meanings among the draft and further answers, over its largest possible value.

    It tells how sure the model is of any answer, not of this one: a draft that stands alone against four equal answers
    still has 0.69. `agreement` sees that, and costs nothing more beside it: both look at the same samples.
    A refusal and an answer that does not validate are a meaning of their own.
    """

    kind: Literal["semantic_entropy"] = "semantic_entropy"
    model: str | None = None
    """Who is asked for the samples: `provider:name`, a block, `second`; `None` is the model that drafted."""
    samples: int = Field(default=5, ge=1, le=20)
    """Further answers to the same prompt."""
    equivalence: Literal["equal", "model"] = "equal"
    """Whether answers mean the same when they are equal (case, spaces and the like aside), or when a model says so,
    which free text needs: one question more, where not all of them are equal."""
    grouped_by: str | None = None
    """With `equivalence="model"`, who groups the answers; `None` is the model that drafted."""

    @property
    def name(self) -> str:
        """Such as `semantic_entropy`, `semantic_entropy:second`."""
        return f"semantic_entropy:{self.model}" if self.model else "semantic_entropy"

    @property
    def models(self) -> tuple[str | None, ...]:
        """Who samples, and who groups."""
        return (self.model, self.grouped_by) if self.equivalence == "model" else (self.model,)

    def ahead(self, case: Case, request: Request) -> tuple[Wanted, ...]:  # noqa: ARG002
        """The samples: they do not hang on the draft."""
        return samples(request, model=self.model, count=self.samples)

    async def look(self, sitting: Sitting) -> Part:
        """Ask, and gather what means the same.

        Raises:
            ProviderError: If one of the answers could not be had.
        """
        replies = await asked(sitting, self.ahead(sitting.case, sitting.asker.request))
        readings = [reading_of(sitting.case, reply) for reply in replies]
        answers = [sitting.generation.answer, *(one.answer for one in readings if not one.problems)]
        numbers: list[int] | None = gathered(answers)
        if self.equivalence == "model" and len(set(gathered(answers))) > 1:
            numbers, reply = await grouped(sitting, answers, model=self.grouped_by)
            replies.append(reply)
        alone = [1] * (1 + len(readings) - len(answers))
        return self._part(numbers and [*sizes(numbers), *alone], together(reply.cost_usd for reply in replies))

    def _part(self, counts: list[int] | None, cost_usd: float | None) -> Part:
        if counts is None:
            reason = "the model that was to group the answers gave no group for each of them"
            return Part(name=self.name, confidence=None, reason=reason, cost_usd=cost_usd)
        reason = f"meanings: {len(counts)}, in {sum(counts)} answers; as the draft: {counts[0]}"
        return Part(name=self.name, confidence=concentration(counts), reason=reason, cost_usd=cost_usd)
