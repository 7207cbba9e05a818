"""What a review of its own is about: all that its flow run needs, so that it never asks the model again for it."""

from typing import Any, Self

from pydantic import Field, JsonValue, model_validator

from hitl_prefect.answer_names import answer_named, name_of_answer
from hitl_prefect.canonical import sha256_of
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Attempt, Case
from hitl_prefect.panel import Sitting
from hitl_prefect.policy import Policy

__all__ = ["KEY", "Detached", "Member"]

KEY = "hitl-review-"
"""How the idempotency key of every review begins; 40 hexadecimal digits follow."""


class Member(Frozen):
    """A case of a group, whose draft says the same as the one that the form shows."""

    case: Case
    attempt: Attempt


class Detached(Frozen):
    """A review that is to be opened in a flow run of its own."""

    case: Case
    attempt: Attempt
    """Draft, score and route to a person; frozen from here on."""
    policy: Policy
    model: str
    """`provider:name`, or the name of a saved block: asked only where a reviewer wants another attempt."""
    store: str
    """Where the outcome is kept: `folder:` path, `s3://` URL, or the name of a saved block."""
    members: tuple[Member, ...] = ()
    """The other cases that this form answers."""
    batch: str = Field(default="", pattern=r"^[a-z0-9-]{0,64}$")
    """The batch that it belongs to, if any."""
    batch_run_id: str = ""
    """The flow run whose summary is told once the last review of the batch is settled; empty: nothing is told."""

    @model_validator(mode="after")
    def _is_sent_to_a_person(self) -> Self:
        if self.attempt.route.action != "review":
            raise ValueError(f"case {self.case.id!r} was accepted, and nobody is asked about it")
        return self

    @property
    def key(self) -> str:
        """The idempotency key: the same case and draft are the same review, however often it is opened."""
        named: list[JsonValue] = [self.case.task, self.case.id, self.attempt.generation.sha256, self.batch]
        return f"{KEY}{sha256_of(named)[:40]}"

    @property
    def group(self) -> tuple[str, ...]:
        """The ids of all cases that the form answers; empty where it answers one."""
        return (self.case.id, *(one.case.id for one in self.members)) if self.members else ()

    @property
    def sitting(self) -> Sitting:
        """What has been heard about the draft so far: nothing."""
        made = self.attempt
        return Sitting(case=self.case, generation=made.generation, score=made.score, policy=self.policy)

    def packed(self) -> dict[str, Any]:
        """All of it as JSON data, the answer type by its name.

        Raises:
            ConfigError: If no other process could find the answer type.
        """
        return {"answer": name_of_answer(self.case.answer), **self.model_dump(mode="json", exclude_defaults=True)}

    @classmethod
    def unpacked(cls, packed: dict[str, Any]) -> Self:
        """What was packed.

        Raises:
            ConfigError: If the answer type is not found here.
            ValidationError: If it was changed: the draft does not fit its sha256.
        """
        answer = answer_named(packed["answer"])
        found = cls.model_validate({name: value for name, value in packed.items() if name != "answer"})
        members = tuple(one.model_copy(update={"case": _typed(one.case, answer)}) for one in found.members)
        return found.model_copy(update={"case": _typed(found.case, answer), "members": members})


def _typed(case: Case, answer: Any) -> Case:
    return case.model_copy(update={"answer": answer})
