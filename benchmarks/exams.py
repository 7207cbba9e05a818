"""What is examined: cases whose right answer is known, and what a recorded person says about each."""

from pydantic import Field, JsonValue

from hitl_prefect.frozen import Frozen
from hitl_prefect.models import CaseId
from hitl_prefect.policy import Policy

__all__ = ["BAR", "Exam", "Trial", "label_of", "typed_edit", "typed_reject"]

BAR = 0.8
"""At or above this confidence a case is accepted without a person."""


class Trial(Frozen):
    """One case."""

    id: CaseId
    prompt: str
    right: str | None
    """The label that is right; `None` where none fits, and nothing should ship."""
    typed: dict[str, JsonValue]
    """What the scripted reviewer types into the form, where asked."""


class Exam(Frozen):
    """One model and all that it is asked."""

    model: str
    """`provider:name`, as the flow is given it."""
    deployment: str
    """The served flow: `flow/deployment`."""
    policy: Policy
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """The flow's parameters beside prompt, model, policy, store and case id."""
    trials: tuple[Trial, ...]
    replies: dict[str, str] | None = None
    """The recorded reply to each prompt, to the letter; `None` where the model itself runs in the flow's process."""
    blind_reviewer: bool = False
    """The reviewer's labels were given by a person who did not see the right ones."""


def label_of(answer: JsonValue) -> str | None:
    """The label in an answer: its `code`, or the answer itself; `None` where nothing ships.

    >>> label_of({"code": "A", "theme": "B"})
    'A'
    """
    label = answer.get("code") if isinstance(answer, dict) else answer
    return label if isinstance(label, str) else None


def typed_edit(answer: JsonValue, reason: str) -> dict[str, JsonValue]:
    """What a reviewer types who gives an answer of their own."""
    return {"decision": "edit", "answer": answer, "reason": reason, "reviewer": "scripted-reviewer", "channel": "api"}


def typed_reject(reason: str) -> dict[str, JsonValue]:
    """What a reviewer types who lets nothing ship."""
    return {"decision": "reject", "reason": reason, "reviewer": "scripted-reviewer", "channel": "api"}
