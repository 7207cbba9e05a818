"""Learned: a classifier trained on what people decided says how likely the draft's label is."""

from typing import ClassVar, Literal

from pydantic import Field

from hitl_prefect.models import Part
from hitl_prefect.protocols import Question
from hitl_prefect.scorers.base import Asking, Sitting

__all__ = ["Learned"]


class Learned(Asking):
    """The trained probability of the draft's label, whoever drafted it; asks no provider and costs nothing.

    For answers that are a label: a text, a `Literal`, or a model with one such field.
    """

    needs_decider: ClassVar[bool] = True

    kind: Literal["learned"] = "learned"
    model: str = Field(pattern=r"^embedded:.+@.+")
    """The trained model: `embedded:<task>@<store>`, from `hitl train`."""

    @property
    def name(self) -> str:
        """Such as `learned:support`: the store is no part of what is known."""
        return f"learned:{self.model.removeprefix('embedded:').partition('@')[0]}"

    @property
    def is_pinned(self) -> bool:
        """Whether it names a version of the model, and not whichever is the newest."""
        return "/" in self.model.partition("@")[0]

    @property
    def models(self) -> tuple[str | None, ...]:
        """The classifier."""
        return (self.model,)

    async def look(self, sitting: Sitting) -> Part:
        """How likely the draft's label is to the classifier.

        Raises:
            ConfigError: If there is no such model, or the case has no text.
            StoreError: If its store is away.
        """
        answer = sitting.generation.answer
        label = next(iter(answer.values())) if isinstance(answer, dict) and len(answer) == 1 else answer
        if not isinstance(label, str):
            return Part(name=self.name, confidence=None, reason="the answer is no label")
        asked = Question(name="label", instructions=label)
        decided = await sitting.asker.decide(sitting.case.messages, (asked,), model=self.model)
        found = decided.probabilities.get("label")
        reason = f"by {decided.model}" if found is not None else f"{decided.model} never saw this label"
        return Part(name=self.name, confidence=found, reason=reason, cost_usd=decided.cost_usd)
