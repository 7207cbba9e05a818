"""The words of the design as frozen models, from the case to the score.

What a person adds, and the stored fact that comes of it, stand in `outcomes.py`.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

from hitl_prefect.canonical import sha256_of
from hitl_prefect.frozen import Frozen
from hitl_prefect.messages import Message, conversation

__all__ = [
    "WORTH_MOST",
    "Attempt",
    "Case",
    "CaseId",
    "Confidence",
    "Frozen",
    "Generation",
    "LogprobSummary",
    "Message",
    "Part",
    "Promise",
    "Route",
    "RouteReason",
    "Score",
    "Sha256",
    "TaskName",
    "Usage",
]

CaseId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Safe in an object key and a file name: letters, digits, `.`, `_`, `-`; no separator, no leading dot."""

TaskName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""What kind of case this is, as a slug: `invoices`, `support-mail`."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

_NAMED = re.compile(r"sha256:[0-9a-f]{64}")

Confidence = Annotated[float, Field(ge=0, le=1)]
"""1 is sure, 0 is not; a missing confidence is `None`, never a number."""


class Case(Frozen):
    """One unit of work to decide.

    >>> case = Case(id="c1", task="invoices", prompt="Extract the invoice.")
    >>> case.messages
    (Message(role='user', content='Extract the invoice.'),)
    """

    id: CaseId
    task: TaskName
    prompt: str | tuple[Message, ...]
    """A prompt, or the whole conversation."""
    variants: tuple[str | tuple[Message, ...], ...] = ()
    """The same question in other words: an answer that hangs on the wording is a doubtful one."""
    answer: Any = Field(default=str, exclude=True, repr=False)
    """The type of the answer: anything that pydantic can validate. Not stored."""
    metadata: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    """Facts for people and reports; never sent to the model."""
    requester: str | None = None
    """Who asked for the case, and so may not review it unless the policy says so."""

    @field_validator("id", mode="after")
    @classmethod
    def _no_parent_folder(cls, value: str) -> str:
        if ".." in value:
            raise ValueError("a case id holds no '..'")
        return value

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation, also where the prompt is one string."""
        return conversation(self.prompt)

    @property
    def prompt_sha256(self) -> str:
        """Names the prompt without holding it."""
        return sha256_of([message.model_dump() for message in self.messages])


class Usage(Frozen):
    """What the provider counted."""

    input_tokens: int | None = None
    """All of the input, what came from the provider's cache included."""
    output_tokens: int | None = None
    """All of the output, reasoning included."""
    cached_tokens: int | None = None
    """The part of the input that was read from the provider's cache."""
    reasoning_tokens: int | None = None
    """The part of the output that nobody sees."""


class LogprobSummary(Frozen):
    """Token log probabilities, boiled down; each a probability in [0, 1]."""

    mean: Confidence
    """exp of the mean log probability: 1 / perplexity."""
    minimum: Confidence
    """The least likely token."""
    decision: Confidence | None = None
    """The least likely first token among the values of the answer; `None` where it could not be found."""
    fields: dict[str, Confidence] = Field(default_factory=dict)
    """The least likely token within the value of each top-level field; empty where they could not be found."""
    tokens: int = Field(ge=1)


class Generation(Frozen):
    """What the model returned: the draft that a person may see."""

    answer: JsonValue = None
    """The draft as JSON data, valid for the answer type; `None` unless `status` is `ok`."""
    text: str
    """What the model wrote, to the letter (lone surrogates replaced); where the policy keeps no prompts, `sha256:` and
    the sha256 of it."""
    status: Literal["ok", "invalid", "refused", "truncated"]
    problems: tuple[str, ...] = ()
    """Why the status is not `ok`, in words for a person."""
    model: str
    provider: str
    prompt_sha256: Sha256
    attempt: int = Field(default=1, ge=1)
    guidance: str | None = None
    """What the reviewer asked for, where this is a further attempt."""
    stated_confidence: Confidence | None = None
    """What the model said of itself, inside the structured answer."""
    probability: Confidence | None = None
    """The model's own probability of its answer, where it is a classifier."""
    logprobs: LogprobSummary | None = None
    usage: Usage = Usage()
    cost_usd: float | None = Field(default=None, ge=0)
    """US dollars by the price table; `None` where the model has no price in it."""
    latency_s: float | None = Field(default=None, ge=0)
    """Seconds from the call to the whole reply, without any wait for a rate limit; `None` for a batch."""
    request_id: str | None = None
    created_at: AwareDatetime
    sha256: str = ""
    """Names the draft: sha256 over answer, sha256 of the text, model, prompt and attempt. Worked out here, checked on
    reading."""

    @model_validator(mode="after")
    def _seal(self) -> Self:
        sealed = self._sealed(named(self.text))
        # Drafts of before 2026-11-28 are over the text itself, which binds as much.
        if self.sha256 not in ("", sealed, self._sealed(self.text)):
            raise ValueError("sha256 does not fit the draft: it was changed after it was made")
        object.__setattr__(self, "sha256", self.sha256 or sealed)
        return self

    def _sealed(self, text: str) -> str:
        return sha256_of([self.answer, text, self.model, self.prompt_sha256, self.attempt])


class Part(Frozen):
    """One scorer's word."""

    name: str
    confidence: Confidence | None
    reason: str = ""
    """Why there is no confidence, or what was seen."""
    fields: dict[str, Confidence] = Field(default_factory=dict)
    """Confidence per top-level field of the answer, where the scorer gives it."""
    log_odds: dict[str, float] = Field(default_factory=dict)
    """What a fitted combination made of the other parts: their contributions and the `intercept`, which add up to the
    log-odds of this part's confidence."""
    cost_usd: float | None = Field(default=0, ge=0)
    """What asking cost in US dollars: 0 where nothing was asked, `None` where nobody knows."""


class Score(Frozen):
    """How sure we are of a generation."""

    confidence: Confidence | None
    """`None`: nobody could tell, which is uncertain."""
    combined: str
    """How the parts became one number, such as `min(stated, logprob)`."""
    parts: tuple[Part, ...] = ()
    fields: dict[str, Confidence] = Field(default_factory=dict)
    """Confidence per field of a structured answer, where a scorer gives it: the lowest of those that count."""

    @property
    def cost_usd(self) -> float | None:
        """What scoring cost in US dollars: 0 where nobody was asked, `None` where nobody knows."""
        known = [part.cost_usd for part in self.parts if part.cost_usd is not None]
        return sum(known) if len(known) == len(self.parts) else None


RouteReason = Literal[
    "above_bar", "below_bar", "audit", "rule", "cold_start", "no_score", "invalid", "refused", "truncated", "drift"
]


WORTH_MOST = "its label is worth most to the classifier"
"""Begins the detail of a route by which a round of labelling asks about a hard case, beside cases drawn at random."""


class Promise(Frozen):
    """What a risk budget promises: of what is accepted no more than a share is wrong.

    >>> Promise(max_error=0.01, confidence_level=0.95).keeps(Promise(max_error=0.05, confidence_level=0.9))
    True
    """

    max_error: float = Field(gt=0, lt=1)
    """The largest share of wrong answers among the accepted ones."""
    confidence_level: float = Field(gt=0, lt=1)
    """How probable it is, over all labels that could have been drawn, that the bar which is found keeps it."""

    def keeps(self, other: "Promise") -> bool:
        """Whether whoever keeps this one keeps the other as well."""
        return self.max_error <= other.max_error and self.confidence_level >= other.confidence_level


class Route(Frozen):
    """Where the policy sends a case, and why."""

    action: Literal["accept", "review"]
    reason: RouteReason
    detail: str = ""
    """The rule that fired, or what was missing, in words for a person."""
    propensity: float = Field(ge=0, le=1)
    """The probability with which this case was sent to a person; 1 where the policy left no choice."""
    policy_version: str
    bar: Confidence | None = None
    promise: Promise | None = None
    """What the bar stands for, where the policy has a risk budget."""


class Attempt(Frozen):
    """One try of the model, and what the machine thought of it."""

    generation: Generation
    score: Score
    route: Route


def named(text: str) -> str:
    """What is left of a text that is not kept: `sha256:` and its sha256; of what is that already, itself.

    >>> named(named("12.50")) == named("12.50")
    True
    """
    if _NAMED.fullmatch(text):
        return text
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"


def as_slug(name: str) -> str:
    """The nearest valid task name, for error messages.

    >>> as_slug("Support Mail!")
    'support-mail'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "task"


def utc(moment: datetime) -> str:
    """ISO 8601 to the second, in UTC, as people read it.

    >>> utc(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02 03:04:05 UTC'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
