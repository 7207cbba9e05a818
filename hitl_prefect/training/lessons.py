"""What one outcome teaches: what people want to be answered, what they do not, and how far that can be trusted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.evidence import How, first_attempt, how_decided, was_right
from hitl_prefect.example_turns import question_sha256, without_examples
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Generation
from hitl_prefect.outcomes import Decision, Outcome
from hitl_prefect.reviewer_report import WORDS_PER_MINUTE
from hitl_prefect.stakes import too_fast, words_of

__all__ = ["TRUSTED", "Lesson", "Tag", "lesson_of"]

Tag = How | Literal["anchored"]
"""How an answer came about; `anchored` besides: the draft stood in the form, and everybody who let it pass did so
sooner than it can be read."""

TRUSTED: frozenset[Tag] = frozenset({"prefilled", "blind"})
"""What is learnt from unless more is named: what people looked at. Audits are kept for measuring."""

_SHOWN: tuple[How, ...] = ("prefilled", "audit")
_LETS_PASS: tuple[Decision, ...] = ("approve", "edit")


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one outcome teaches; nothing of it names a person."""

    case_id: str
    question: str
    """The sha256 of `messages`: the same for every case that asks the same."""
    messages: tuple[Message, ...]
    """What was asked, without few-shot examples."""
    wanted: JsonValue
    """The answer that shipped; `None` where none did."""
    unwanted: JsonValue
    """The first draft, where people found it wrong; else `None`."""
    how: How
    anchored: bool
    """Whether everybody who let the draft pass did so sooner than it can be read."""
    propensity: float
    """The probability with which the case was sent to a person, in [0, 1]."""
    model: str
    """Who made the draft."""
    provider: str
    decided_at: datetime

    @property
    def tags(self) -> frozenset[Tag]:
        """All that must be trusted to learn from it."""
        return frozenset({self.how, "anchored"}) if self.anchored else frozenset({self.how})

    @property
    def has_images(self) -> bool:
        """Whether the prompt shows pictures."""
        return any(isinstance(piece, Image) for one in self.messages for piece in one.pieces)

    @property
    def wanted_text(self) -> str | None:
        """As a model would write it: a text as it is, anything else as canonical JSON; `None` where none shipped."""
        return _text(self.wanted)

    @property
    def unwanted_text(self) -> str | None:
        """The same of the draft that people found wrong."""
        return _text(self.unwanted)


def lesson_of(outcome: Outcome[Any]) -> Lesson:
    """What an outcome teaches.

    It is about the first draft, which is what the model says to the prompt as it stands: a later one was told what to
    do better. A draft that was no valid answer is not held against the wanted one.
    """
    draft, right = first_attempt(outcome), was_right(outcome)
    how = how_decided(outcome)
    return Lesson(
        case_id=outcome.case.id,
        question=question_sha256(outcome.case.messages),
        messages=without_examples(outcome.case.messages),
        wanted=to_jsonable_python(outcome.final_answer),
        unwanted=draft.generation.answer if right is False else None,
        how=how,
        anchored=how in _SHOWN and right is not False and _unread(outcome, outcome.generation),
        propensity=draft.route.propensity,
        model=draft.generation.model,
        provider=draft.generation.provider,
        decided_at=outcome.decided_at,
    )


def _unread(outcome: Outcome[Any], draft: Generation) -> bool:
    """Whether nobody who let the draft pass took the time to read it."""
    words = words_of(*(one.text for one in without_examples(outcome.case.messages)), draft.text)
    verdicts = outcome.review.verdicts if outcome.review else ()
    passed = [one for one in verdicts if one.attempt == draft.attempt and one.decision in _LETS_PASS]
    return bool(passed) and all(too_fast(one, words, WORDS_PER_MINUTE) for one in passed)


def _text(answer: JsonValue) -> str | None:
    return answer if answer is None or isinstance(answer, str) else canonical_bytes(answer).decode()
