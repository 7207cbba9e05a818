"""What people said, and the final, stored fact about a case: `hitl.outcome/v1`."""

from datetime import UTC
from typing import Any, Generic, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, model_validator
from typing_extensions import TypeVar

from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.example_turns import question_sha256
from hitl_prefect.frozen import Frozen, record_schema
from hitl_prefect.messages import Message
from hitl_prefect.models import Attempt, Case, CaseId, Generation, Route, Score, Sha256, TaskName

__all__ = [
    "DECIDERS",
    "PROBES",
    "SHIPS",
    "CaseRecord",
    "Channel",
    "Decision",
    "Dissent",
    "FormAnswer",
    "Group",
    "IndexEntry",
    "Outcome",
    "Probe",
    "RefusedAnswer",
    "Review",
    "Role",
    "Settlement",
    "Verdict",
    "Versions",
    "case_indexed_by",
    "index_key",
    "index_prefix",
    "outcome_key",
    "outcome_prefix",
    "outcome_schema",
]

Answer = TypeVar("Answer", default=JsonValue)

Decision = Literal["approve", "edit", "reject", "retry", "escalate"]
Channel = Literal["ui", "cli", "api"]
Role = Literal["reviewer", "second", "tie_breaker", "escalated", "blind", "seeded"]
"""As what somebody was asked: `second` is a second opinion; `blind` and `seeded` are probes."""
PROBES: tuple[Role, ...] = ("blind", "seeded")
"""The roles that measure the reviewing; what is said in them never ships."""
DECIDERS: tuple[Role, ...] = ("tie_breaker", "escalated")
"""Who decides alone, and is shown what all others said."""
SHIPS = ("accept", "approve", "edit")
"""The decisions of outcomes that the model was sure of or a person let pass. A fallback is none: it is what the policy
does when nobody has."""


class FormAnswer(Frozen):
    """What a person said, checked against the answer type."""

    decision: Decision
    answer: JsonValue = None
    """What the person lets ship, as JSON data of the answer type: the draft on `approve`, their own on `edit`, else
    `None`."""
    guidance: str = ""
    """What the next attempt should do better; only for `retry`."""
    reason: str = ""
    reviewer: str = ""
    channel: Channel = "ui"
    seen_at: AwareDatetime | None = None
    """When the person was shown the form, where the door tells: the command line does, the browser does not."""
    bulk: bool = False
    """Whether it was given for many cases at once."""
    signature: str | None = None
    """By the reviewer's own key, over `hitl_prefect.signing.Statement`: all that is signed stands in the outcome."""


class Verdict(FormAnswer):
    """One person's decision about one draft."""

    attempt: int = Field(ge=1)
    """The attempt whose draft the person saw."""
    draft_sha256: Sha256
    """The draft that the person saw."""
    form_sha256: Sha256
    """The form and the description that the person saw."""
    opened_at: AwareDatetime
    decided_at: AwareDatetime
    role: Role = "reviewer"


class RefusedAnswer(Frozen):
    """An answer that did not apply; the person was asked again with these errors."""

    errors: tuple[str, ...]
    typed: JsonValue
    form_sha256: Sha256
    decided_at: AwareDatetime


class Probe(Frozen):
    """A measurement of the reviewing: what somebody said without a draft, or about one that is wrong on purpose."""

    kind: Literal["blind", "seeded"]
    draft: JsonValue = None
    """The draft that was shown; `None` where none was."""
    verdict: Verdict
    """What was said; it never ships."""


class Dissent(Frozen):
    """What somebody of several said, and what did not become the final answer."""

    field: str = ""
    """Dotted path into the answer; empty means the answer itself, or the decision."""
    value: JsonValue = None
    """What they said; `None` for a rejection."""
    reviewers: tuple[str, ...]


class Settlement(Frozen):
    """How a review of one draft ended."""

    decision: Literal["approve", "edit", "reject", "retry", "fallback"]
    answer: JsonValue = None
    """What ships; `None` for `reject` and `retry`, and for `fallback`, which the policy holds."""
    decided_by: Literal["human", "quorum", "deadline"]
    decided_at: AwareDatetime
    guidance: str = ""
    """Of `retry`."""
    dissent: tuple[Dissent, ...] = ()


class Group(Frozen):
    """Cases of a batch whose drafts say the same, and that one form answered."""

    case: CaseId
    """The case that the form was about."""
    draft_sha256: Sha256
    """The draft that the form showed."""
    size: int = Field(ge=2)
    """How many cases it answered."""


class Review(Frozen):
    """All that people said about a case, in order."""

    verdicts: tuple[Verdict, ...] = ()
    refused_answers: tuple[RefusedAnswer, ...] = ()
    probes: tuple[Probe, ...] = ()
    settled: Settlement
    escalated: bool = False
    """Whether it was handed over to `Policy.escalate_to`."""
    widened: bool = False
    """Whether the second group, `Policy.widen_to`, was asked as well."""
    group: Group | None = None
    """Where one form answered several cases."""

    @property
    def escalated_by(self) -> tuple[str, ...] | None:
        """Who handed it over, where they gave a name; empty: the deadline did; `None`: nobody did."""
        by = tuple(one.reviewer for one in self.verdicts if one.decision == "escalate" and one.reviewer)
        return by if self.escalated else None


class CaseRecord(Frozen):
    """The case as it is stored."""

    id: CaseId
    task: TaskName
    prompt_sha256: Sha256
    messages: tuple[Message, ...] = ()
    metadata: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    requester: str | None = None

    @classmethod
    def of(cls, case: Case) -> Self:
        """The record of a case: everything but the Python type of its answer."""
        return cls(
            id=case.id,
            task=case.task,
            prompt_sha256=case.prompt_sha256,
            messages=case.messages,
            metadata=case.metadata,
            requester=case.requester,
        )

    def asks_the_same(self, case: Case) -> bool:
        """Whether a case of the same id asks what this one asked; examples before it make no other question.

        Where the prompt was not kept as it was, the whole of it must be the same, examples included.
        """
        if self.prompt_sha256 == case.prompt_sha256:
            return True
        is_kept = self.prompt_sha256 == sha256_of([message.model_dump() for message in self.messages])
        return is_kept and question_sha256(self.messages) == question_sha256(case.messages)


class Versions(Frozen):
    """What made the outcome."""

    hitl_prefect: str
    prefect: str
    flow: str | None = None


class Outcome(Frozen, Generic[Answer]):
    """The final, stored fact about a case; the machine's answer stays beside the person's.

    `Outcome[Invoice].model_validate_json(stored)` gives `final_answer` back as an `Invoice`.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, title="hitl.outcome/v1")

    schema_: Literal["hitl.outcome/v1"] = Field(default="hitl.outcome/v1", alias="schema")
    case: CaseRecord
    generation: Generation
    """The last attempt."""
    earlier: tuple[Attempt, ...] = ()
    """The attempts before it, oldest first."""
    score: Score
    route: Route
    review: Review | None = None
    decision: Literal["accept", "approve", "edit", "reject", "fallback"]
    """How the final answer came about; `accept` is the model's alone, `fallback` the deadline's or the policy's."""
    final_answer: Answer | None = None
    """What ships; `None` when rejected."""
    decided_by: Literal["model", "human", "quorum", "audit", "deadline", "policy"]
    decided_at: AwareDatetime
    flow_run_id: str | None = None
    deployment: str | None = None
    versions: Versions

    @model_validator(mode="after")
    def _nothing_ships_unless_decided(self) -> Self:
        if (self.decision == "reject") is not (self.final_answer is None):
            raise ValueError(f"decision {self.decision!r} does not fit final answer {self.final_answer!r}")
        return self

    @property
    def drafts(self) -> tuple[Generation, ...]:
        """What the model returned, attempt by attempt."""
        return (*(attempt.generation for attempt in self.earlier), self.generation)

    @property
    def is_answered_elsewhere(self) -> bool:
        """Whether the form was about another case of a group, whose outcome holds the same review."""
        group = self.review.group if self.review else None
        return group is not None and group.case != self.case.id

    @property
    def stored(self) -> bytes:
        """The canonical bytes: same outcome, same bytes."""
        return canonical_bytes(self)


def outcome_key(outcome: "Outcome[Answer]") -> str:
    """Where an outcome is stored, below the store's prefix.

    The date is that of `decided_at` in UTC, never the clock at upload: the same outcome always has the same key.
    """
    day = outcome.decided_at.astimezone(UTC).strftime("%Y-%m-%d")
    return f"{outcome_prefix(outcome.case.task)}dt={day}/{outcome.case.id}.json"


def outcome_prefix(task: str | None = None) -> str:
    """How the keys of outcomes begin: of one task, or of all.

    >>> outcome_prefix("invoices"), outcome_prefix()
    ('outcomes/v1/task=invoices/', 'outcomes/v1/')
    """
    return f"outcomes/v1/{_of_task(task)}"


class IndexEntry(Frozen):
    """Which outcome a case has: the one object per case that does not know the day."""

    key: str
    sha256: Sha256


def index_key(task: str, case_id: str) -> str:
    """Where the index entry of a case is stored, below the store's prefix."""
    return f"{index_prefix(task)}{case_id}.json"


def index_prefix(task: str | None = None) -> str:
    """How the keys of index entries begin: of one task, or of all."""
    return f"cases/v1/{_of_task(task)}"


def case_indexed_by(key: str, task: str) -> str:
    """The case that an index entry of a task is of.

    >>> case_indexed_by(index_key("invoices", "c1"), "invoices")
    'c1'
    """
    return key.removeprefix(index_prefix(task)).removesuffix(".json")


def _of_task(task: str | None) -> str:
    return f"task={task}/" if task else ""


def outcome_schema() -> dict[str, Any]:
    """The JSON Schema of a stored outcome, as it stands in `data/schemas/hitl.outcome.v1.json`."""
    return record_schema(Outcome[JsonValue])
