"""A combination: the scorers' confidences made one by weights that were fitted on what people decided.

It is data, stored inside the policy, and needs nothing but Python to be applied. `fitting.py` makes it.
"""

from collections.abc import Sequence
from math import exp, log
from typing import Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from hitl_prefect.canonical import sha256_of
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Generation, Part, TaskName

__all__ = ["Combination", "FittedFor", "Scale", "Term", "on_scale"]

Scale = Literal["confidence", "log_odds"]
"""What a weight is per unit of: the confidence itself, or its log-odds."""

_CLIP = 0.01
"""Log-odds are those of a confidence kept this far from 0 and 1, where they would have no end."""


class Term(Frozen):
    """One scorer in a combination."""

    name: str
    """The scorer, as its part is named."""
    weight: FiniteFloat
    """Log-odds of being right per unit of the scale."""
    centre: FiniteFloat
    """The scorer's average over the cases of the fit, on the scale; there it adds nothing."""


class FittedFor(Frozen):
    """The evidence of a combination: it is only used on the like."""

    task: TaskName
    models: tuple[str, ...] = Field(min_length=1)
    """The models that drafted, as `Generation.model` names them."""
    cases: int = Field(ge=1)
    """Reviewed cases that it was fitted on."""
    wrong: int = Field(ge=0)
    """Those of them where the model was wrong."""


class Combination(Frozen):
    """A logistic regression over the scorers' confidences, explained by its weights.

    A scorer that it counts on and that has no confidence leaves the combination without one: nothing is guessed in its
    place. An agreement is known by its name alone, so fit anew where its settings change.

    >>> fitted = Combination(
    ...     fitted_for=FittedFor(task="invoices", models=("gpt-5-mini",), cases=200, wrong=40),
    ...     scale="confidence",
    ...     intercept=1.4,
    ...     terms=(Term(name="stated", weight=2, centre=0.9), Term(name="agreement", weight=3, centre=0.8)),
    ... )
    >>> parts = [Part(name="stated", confidence=0.95), Part(name="agreement", confidence=0)]
    >>> {name: round(added, 3) for name, added in fitted.explain(parts).items()}
    {'intercept': 1.4, 'stated': 0.1, 'agreement': -2.4}
    >>> round(fitted.apply(parts), 3)
    0.289
    """

    kind: Literal["logistic"] = "logistic"
    fitted_for: FittedFor
    scale: Scale
    terms: tuple[Term, ...] = Field(min_length=1)
    intercept: FiniteFloat
    """Log-odds of being right where every scorer is at its centre."""
    strength: float = Field(default=0, ge=0, allow_inf_nan=False)
    """How strongly the fit held the weights back, as cross-validation chose it."""

    @model_validator(mode="after")
    def _each_scorer_once(self) -> Self:
        if len(self.names) < len(self.terms):
            raise ValueError("a combination has one term per scorer")
        return self

    @property
    def names(self) -> set[str]:
        """The scorers that it counts on."""
        return {term.name for term in self.terms}

    @property
    def version(self) -> str:
        """Names this fit, since nothing that is known of one holds for another: 8 characters of its sha256."""
        return sha256_of(self)[:8]

    def explain(self, parts: Sequence[Part]) -> dict[str, float] | None:
        """What each scorer adds to the log-odds of being right, and the `intercept`; together they are the log-odds.

        Above 0 a scorer is surer than it was on average. `None` where one of them has no confidence.
        """
        known = {part.name: part.confidence for part in parts if part.confidence is not None}
        if not self.names <= known.keys():
            return None
        added = {term.name: term.weight * (on_scale(known[term.name], self.scale) - term.centre) for term in self.terms}
        return {"intercept": self.intercept, **added}

    def apply(self, parts: Sequence[Part]) -> float | None:
        """The probability of being right, in [0, 1]; `None` where a scorer that it counts on has no confidence."""
        added = self.explain(parts)
        return None if added is None else _probability(sum(added.values()))

    def misfit(self, task: str, model: str) -> str:
        """Why it was not fitted for such a draft, in words; empty where it was."""
        if task != self.fitted_for.task:
            return f"fitted for the task {self.fitted_for.task!r}, not {task!r}"
        if model not in self.fitted_for.models:
            return f"fitted for {', '.join(self.fitted_for.models)}, and {model} drafted"
        return ""

    def part(self, case: Case, generation: Generation, parts: Sequence[Part]) -> Part:
        """Its own word about a draft, explained; without a confidence, why."""
        silent = sorted(self.names - {part.name for part in parts if part.confidence is not None})
        reason = self.misfit(case.task, generation.model)
        if not reason and silent:
            reason = f"no confidence from {', '.join(silent)}, which it counts on"
        if reason:
            return Part(name="combination", confidence=None, reason=reason)
        return Part(name="combination", confidence=self.apply(parts), log_odds=self.explain(parts) or {})


def on_scale(confidence: float, scale: Scale) -> float:
    """A confidence as the weights see it.

    >>> on_scale(0.25, "confidence"), round(on_scale(1.0, "log_odds"), 3)
    (0.25, 4.595)
    """
    if scale == "confidence":
        return confidence
    kept = min(max(confidence, _CLIP), 1 - _CLIP)
    return log(kept / (1 - kept))


def _probability(log_odds: float) -> float:
    # Either branch keeps the exponential at most 1: that of a large number has no float.
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    odds = exp(log_odds)
    return odds / (1 + odds)
