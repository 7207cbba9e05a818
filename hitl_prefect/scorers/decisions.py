"""Decisions: a decider gives the probability that the draft is right, and that each of its fields is.

Source: OpenAI's Decisions API, `POST /v1/decisions`, whose `predicate` questions are answered with a probability.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from hitl_prefect.inert import code_span, cut
from hitl_prefect.models import Part
from hitl_prefect.protocols import Decided, Question
from hitl_prefect.scorers.base import Asking, Sitting
from hitl_prefect.scorers.quoting import about_draft

__all__ = ["Decisions"]

_ASK = "Judge the proposed answer as an answer to the question."
_RIGHT = "The proposed answer is right."
_FIELD_RIGHT = "In the proposed answer, the value of the field {name} is right."
_MOST = 399
"""Fields asked about: a request takes 400 questions, and one is about the whole."""
_LONGEST_NAME = 200


class Decisions(Asking):
    """Probability of the statement "the proposed answer is right", in one call.

    The probabilities come rounded to two decimals, so expect ties at a bar.
    """

    needs_decider: ClassVar[bool] = True

    kind: Literal["decisions"] = "decisions"
    model: str = "openai:gpt-6-luna"
    """The decider: `provider:name`, a block, or `second`."""
    per_field: bool = False
    """Ask about each top-level field too, at no further call: the first 399 of a structured answer."""

    @property
    def name(self) -> str:
        """Such as `decisions:openai:gpt-6-luna`."""
        return f"decisions:{self.model}"

    @property
    def models(self) -> tuple[str | None, ...]:
        """The decider."""
        return (self.model,)

    async def look(self, sitting: Sitting) -> Part:
        """Ask everything at once.

        Raises:
            ProviderError: If there was no answer.
            ConfigError: If the model is no decider.
        """
        answer = sitting.generation.answer
        names = list(answer)[:_MOST] if self.per_field and isinstance(answer, dict) else []
        questions = (Question(name="correct", instructions=_RIGHT), *_about(names))
        decided = await sitting.asker.decide(about_draft(sitting, _ASK), questions, model=self.model)
        return self._part(decided, names)

    def _part(self, decided: Decided, names: Sequence[str]) -> Part:
        confidence = decided.probabilities.get("correct")
        found = {name: decided.probabilities.get(_numbered(number)) for number, name in enumerate(names)}
        fields = {name: probability for name, probability in found.items() if probability is not None}
        return Part(
            name=self.name,
            confidence=confidence,
            reason="; ".join(_declined(decided.model, whole=confidence is None, fields=len(names) - len(fields))),
            fields=fields,
            cost_usd=decided.cost_usd,
        )


def _about(names: Sequence[str]) -> list[Question]:
    """One question per field; its name is a number, since a field's own may hold any character."""
    return [
        Question(name=_numbered(number), instructions=_FIELD_RIGHT.format(name=code_span(cut(name, _LONGEST_NAME))))
        for number, name in enumerate(names)
    ]


def _numbered(number: int) -> str:
    return f"field_{number}"


def _declined(model: str, *, whole: bool, fields: int) -> list[str]:
    told = [f"{model} declined to say whether the answer is right"] if whole else []
    return [*told, f"{model} declined to judge {fields} of the fields"] if fields else told
