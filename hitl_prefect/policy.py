"""How a task is routed and reviewed: the policy, as data that can be stored, versioned and replayed."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from hitl_prefect.alike import By
from hitl_prefect.calibrations import Calibrated
from hitl_prefect.canonical import sha256_of
from hitl_prefect.combining import Combination
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Confidence, Promise
from hitl_prefect.people import People
from hitl_prefect.retention import Retention
from hitl_prefect.scorers import ASKING, READING, AskingScorer, Learned, ReadingName

__all__ = ["REVIEW_ALL", "Grouping", "Policy", "Rule"]


_AUDITS = 0.05
"""The share of audits that a risk budget comes with."""


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


class Grouping(Frozen):
    """One form for many cases of `resolve_cases` whose drafts say the same."""

    by: By = "equal"
    """`equal`: the very same answer. `same`: the same but for case, spaces and the punctuation at the ends of texts."""
    one_by_one: int = Field(default=3, ge=1)
    """How many of those that are alike are asked about by themselves all the same."""
    at_most: int = Field(default=100, ge=2, le=1000)
    """How many cases one form may answer."""


class Policy(People):
    """How a task is routed and reviewed.

    >>> Policy(min_confidence=0.9).on_deadline
    'hold'
    """

    min_confidence: Confidence | None = None
    """The bar: at or above it a case is accepted. `None` means no bar yet: a person sees every case."""
    max_error: float | None = Field(default=None, gt=0, lt=1)
    """The risk budget, in place of a bar: the largest share of wrong answers among those that are accepted. The bar is
    found from what people decided (`hitl calibrate`); until there is one, a person sees every case."""
    confidence_level: float = Field(default=0.9, gt=0, lt=1)
    """How probable it is that a bar which was found keeps `max_error`."""
    audit_rate: float | None = Field(default=None, ge=0, le=1)
    """The share of cases at or above the bar that a person sees all the same, who is not told so. `None`: 0.05 with
    `max_error`, else 0."""
    calibrated: Calibrated | None = None
    """The bars in force; `None`: a flow run takes the store's newest version when it begins, and keeps it."""
    review: Literal["by_confidence", "always", "never"] = "by_confidence"
    """`never` is only for tasks declared `reversible`."""
    reversible: bool = False
    """A wrong answer can be undone at no cost."""
    rules: tuple[Rule, ...] = ()
    """Any rule that fits sends the case to a person, whatever the confidence."""
    scorers: tuple[ReadingName | AskingScorer, ...] = ()
    """The scorers that count; one that asks a model is named by its word or given with its settings. A named one
    without a confidence leaves the score `None`. Empty: a classifier's own probability or the token log probabilities,
    where there are any; else the mean of `stated` and of the agreement with one answer of the second model."""
    combine: Literal["min", "mean", "product"] | Combination = "min"
    """How the confidences of the named scorers become one: by a word, or as fitted on what people decided
    (`fit_combination`). Without names it is the mean."""
    second_model: str | None = "auto"
    """What `second` stands for in scorers: `provider:name`, or a block. `auto`: a small model of the other of OpenAI
    and Anthropic, where its key is in the environment. `None`: no second model; whom a scorer names itself, such as the
    decider of `decisions`, is still asked."""
    max_cost_usd: float | None = Field(default=None, gt=0)
    """US dollars that one flow run may spend on models, drafts and scorers' questions of all of its cases together, and
    `resolve_cases` over all runs of its batch. It stops with `BudgetSpent` before the call that would begin beyond it.
    Calls under way at that moment may pass it by what they cost; calls that failed are not counted, since nobody says
    what they cost."""
    max_attempts: int = Field(default=3, ge=1, le=20)
    """How often the model may try, the first time included."""
    max_reviews_per_day: int | None = Field(default=None, ge=0)
    """How many reviews `resolve_cases` may open for this task from one midnight (UTC) to the next; the cases with the
    highest expected loss are asked about first. One form for a group counts once. `None`: as many as there are."""
    over_budget: Literal["hold", "reject", "fallback"] = "hold"
    """What becomes of the rest: it waits for another day, is rejected, or takes `fallback`, decided by the policy."""
    grouping: Grouping | None = None
    """Whether one form answers the cases of a batch whose drafts say the same. `None`: each has its own."""
    error_cost: Annotated[float, Field(ge=0)] | str = 1.0
    """What a wrong answer costs, in any unit: a number, or the dotted path of a number in the answer (`total`), whose
    size counts. The inbox begins with the highest expected loss: `(1 - confidence) * error_cost`."""
    retention: Retention = Retention()
    """What of a case is kept when its outcome is stored."""

    @field_validator("scorers", mode="before")
    @classmethod
    def _by_its_word(cls, scorers: Any) -> Any:
        """A scorer that asks, named by its word, takes its settings' defaults; one word alone is a scorer too."""
        named = (scorers,) if isinstance(scorers, str) else scorers
        if not isinstance(named, list | tuple):
            return scorers
        unknown = [one for one in named if isinstance(one, str) and one not in (*READING, *ASKING)]
        if unknown:
            raise ValueError(f"there is no scorer {unknown[0]!r}; there is {', '.join((*READING, *ASKING))}")
        return tuple({"kind": one} if isinstance(one, str) and one not in READING else one for one in named)

    @model_validator(mode="after")
    def _controls_can_be_honoured(self) -> Self:
        if self.review == "never" and not self.reversible:
            raise ValueError("review='never' needs reversible=True: declare that a wrong answer can be undone")
        if self.review == "never" and (self.max_error is not None or self.audits):
            raise ValueError("review='never' asks nobody: leave out max_error and audit_rate, which need people")
        if isinstance(self.combine, Combination) and (unasked := self.combine.names - self._spoken):
            raise ValueError(f"combine was fitted on {sorted(unasked)}, which scorers does not name: nobody would ask")
        return self

    @model_validator(mode="after")
    def _one_bar(self) -> Self:
        if self.max_error is not None and self.min_confidence is not None:
            raise ValueError(
                "min_confidence is a bar that you set, and max_error has one found that keeps it: leave out one of them"
            )
        if self.max_error is None and self.calibrated is not None:
            raise ValueError("calibrated holds bars for a max_error: give the max_error that they are to keep")
        loose = [one.model for one in self.scorers if isinstance(one, Learned) and not one.is_pinned]
        if self.max_error is not None and loose:
            raise ValueError(
                f"a bar holds for one version of a classifier, and {loose[0]!r} is whichever is the newest: name one, "
                f"such as {loose[0].replace('@', '/1@', 1)!r}"
            )
        return self

    @model_validator(mode="after")
    def _many_can_be_honoured(self) -> Self:
        if self.over_budget == "fallback" and self.fallback is None:
            raise ValueError("over_budget='fallback' needs fallback: give the answer to take")
        if self.grouping and self.require_signature:
            raise ValueError("grouping answers many cases at once, and a signature is for one: leave out one of them")
        return self

    @property
    def _spoken(self) -> set[str]:
        """The scorers that have a part in every score."""
        return {*READING, *(one if isinstance(one, str) else one.name for one in self.scorers)}

    def with_combination(self, combination: Combination) -> Self:
        """The same policy with scores that were fitted.

        Raises:
            ValueError: If the combination counts on a scorer that the policy does not name.
        """
        return type(self).model_validate({**dict(self), "combine": combination})

    @property
    def promise(self) -> Promise | None:
        """What holds of the accepted cases; `None` where the policy has no risk budget."""
        if self.max_error is None:
            return None
        return Promise(max_error=self.max_error, confidence_level=self.confidence_level)

    @property
    def audits(self) -> float:
        """The share of cases at or above the bar that a person sees all the same, in [0, 1]."""
        if self.audit_rate is not None:
            return self.audit_rate
        return 0.0 if self.max_error is None else _AUDITS

    def with_calibrated(self, calibrated: Calibrated | None) -> Self:
        """The same policy with the bars in force, or with none yet."""
        return self.model_copy(update={"calibrated": calibrated})

    @property
    def version(self) -> str:
        """Names this policy: the first 12 characters of its sha256."""
        return sha256_of(self)[:12]


REVIEW_ALL = Policy()
"""No bar: a person sees every case."""
