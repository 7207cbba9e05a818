"""Texts with the label that a person gave them: what a classifier is trained on."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue

from hitl_prefect.evidence import How, how_decided, only_in_bulk
from hitl_prefect.messages import Message
from hitl_prefect.outcomes import Outcome

__all__ = ["LabelHow", "Labelled", "bucket_of", "label_of", "labelled", "text_of"]

LabelHow = How | Literal["cluster"]
"""How a label came about; `cluster`: a person named a whole cluster, and did not look at the case."""

_BUCKETS = 16**12


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its label."""

    case_id: str
    text: str
    label: str
    how: LabelHow
    propensity: float = 1.0
    """The probability with which the case was sent to a person, in (0, 1]."""


def labelled(outcomes: Iterable[Outcome[Any]]) -> list[Labelled]:
    """The labels that people gave, in the order of the outcomes.

    Left out are the answers that no person gave or looked at, such as in bulk, those that were rejected, those that are
    no label, and cases without any text.
    """
    found = (_labelled(one) for one in outcomes if _by_people(one))
    return [one for one in found if one is not None]


def _by_people(outcome: Outcome[Any]) -> bool:
    by_people = outcome.decided_by in ("human", "quorum", "audit")
    return by_people and not outcome.is_answered_elsewhere and not only_in_bulk(outcome)


def _labelled(outcome: Outcome[Any]) -> Labelled | None:
    text, label = text_of(outcome.case.messages), label_of(outcome.final_answer)
    if not text or label is None or not outcome.route.propensity:
        return None
    return Labelled(outcome.case.id, text, label, how_decided(outcome), outcome.route.propensity)


def text_of(messages: Sequence[Message]) -> str:
    """What is classified: the text of the user's last turn; empty where there is none."""
    asked = [one for one in messages if one.role == "user"]
    return "\n".join(piece for piece in asked[-1].pieces if isinstance(piece, str)).strip() if asked else ""


def label_of(answer: JsonValue) -> str | None:
    """The label that an answer is: a text, or the text of its only field; `None` where it is neither.

    >>> label_of("refund"), label_of({"category": "refund"}), label_of({"vendor": "ACME", "total": 9.5})
    ('refund', 'refund', None)
    """
    if isinstance(answer, dict) and len(answer) == 1:
        (answer,) = answer.values()
    return answer if isinstance(answer, str) and answer.strip() else None


def bucket_of(case_id: str) -> float:
    """A number in [0, 1) that a case always has, to keep the same cases out of training each time."""
    return int(hashlib.sha256(f"held-out {case_id}".encode()).hexdigest()[:12], 16) / _BUCKETS
