"""How a task is routed and reviewed: the policy, as data that can be stored, versioned and replayed."""

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from hitl_prefect.canonical import sha256_of
from hitl_prefect.models import Confidence, Frozen

__all__ = ["REVIEW_ALL", "Policy", "Rule", "ScorerName"]

ScorerName = Literal["stated", "logprob", "logprob_min", "logprob_decision", "probability", "schema", "hedging"]
"""The scorers that read a generation without a further call."""


class Rule(Frozen):
    """Sends a case to a person when one field of the answer is remarkable.

    >>> Rule(field="total", op=">", value=1000).describe()
    'total > 1000'
    """

    field: str = ""
    """Dotted path into the answer (`lines.0.total`); empty means the answer itself."""
    op: Literal["<", "<=", "==", "!=", ">=", ">", "in", "contains"]
    value: JsonValue

    def describe(self) -> str:
        """The rule in words."""
        return f"{self.field or 'answer'} {self.op} {self.value}"


class Policy(Frozen):
    """How a task is routed and reviewed.

    >>> Policy(min_confidence=0.9).on_deadline
    'hold'
    """

    min_confidence: Confidence | None = None
    """The bar: at or above it a case is accepted. `None` means no bar yet: a person sees every case."""
    review: Literal["by_confidence", "always", "never"] = "by_confidence"
    """`never` is only for tasks declared `reversible`."""
    reversible: bool = False
    """A wrong answer can be undone at no cost."""
    rules: tuple[Rule, ...] = ()
    """Any rule that fits sends the case to a person, whatever the confidence."""
    scorers: tuple[ScorerName, ...] = ()
    """The scorers that count. Empty: the best one that the generation has, of
    `probability`, `logprob_decision`, `logprob`, `stated`. A named one without a confidence leaves the score `None`."""
    combine: Literal["min", "mean", "product"] = "min"
    """How the scorers' confidences become one."""
    max_attempts: int = Field(default=3, ge=1, le=20)
    """How often the model may try, the first time included."""
    deadline_s: int = Field(default=72 * 3600, gt=0)
    """Seconds that a review may wait before `on_deadline` applies."""
    on_deadline: Literal["hold", "reject", "escalate", "fallback"] = "hold"
    """What nobody coming means: go on waiting, reject, ask `escalate_to` (and then hold), or take `fallback`. Never
    accept."""
    fallback: JsonValue = None
    """The answer that `on_deadline='fallback'` takes, as JSON data valid for the answer type."""
    reviewers: tuple[str, ...] = ()
    """Who may answer. Empty: anybody who reaches the form, under the name that they type."""
    escalate_to: tuple[str, ...] = ()
    """Who is asked on `escalate`. Empty: the form does not offer it."""

    @model_validator(mode="after")
    def _controls_can_be_honoured(self) -> Self:
        if self.review == "never" and not self.reversible:
            raise ValueError("review='never' needs reversible=True: declare that a wrong answer can be undone")
        if self.on_deadline == "escalate" and not self.escalate_to:
            raise ValueError("on_deadline='escalate' needs escalate_to: name who is asked")
        if self.on_deadline == "fallback" and self.fallback is None:
            raise ValueError("on_deadline='fallback' needs fallback: give the answer to take")
        return self

    @property
    def version(self) -> str:
        """Names this policy: the first 12 characters of its sha256."""
        return sha256_of(self)[:12]


REVIEW_ALL = Policy()
"""No bar: a person sees every case."""
