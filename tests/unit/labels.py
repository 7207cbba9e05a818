"""Outcomes whose answers are labels, and texts that tell the labels apart, for tests of what is learnt from them."""

import random
from typing import Any

from hitl_prefect.learning import Labelled
from hitl_prefect.outcomes import CaseRecord, Outcome
from tests.unit.making import a_case, a_generation, a_review, a_route, a_verdict, an_outcome

__all__ = ["a_label", "a_labelled_outcome", "labels_of", "text_about"]

_WORDS = {
    "refund": ("money", "refund", "back", "paid", "return"),
    "delivery": ("parcel", "courier", "late", "arrive", "address"),
    "account": ("password", "login", "email", "profile", "locked"),
}


def text_about(label: str, number: int) -> str:
    """Five words, of which most are the label's own; the same for the same number."""
    draw = random.Random(f"{label} {number}")
    return " ".join([*draw.choices(_WORDS[label], k=4), draw.choice(["please", "hello", "thanks"])])


def a_label(number: int, label: str | None = None, **changes: Any) -> Labelled:
    """One of three labels in turn."""
    name = label or list(_WORDS)[number % 3]
    facts = {"case_id": f"c{number}", "text": text_about(name, number), "label": name, "how": "prefilled"}
    return Labelled(**{**facts, **changes})


def labels_of(count: int, *, first: int = 0, **changes: Any) -> list[Labelled]:
    return [a_label(number, **changes) for number in range(first, first + count)]


def a_labelled_outcome(number: int, label: str | None = None, **changes: Any) -> Outcome[Any]:
    """What a person decided about the same text."""
    known = a_label(number, label)
    case = a_case(id=known.case_id, task="support", prompt=known.text)
    generation = a_generation(answer=known.label, text=known.label, prompt_sha256=case.prompt_sha256)
    facts = {
        "case": CaseRecord.of(case),
        "generation": generation,
        "route": a_route(action="review", reason="below_bar", propensity=1.0),
        "review": a_review(a_verdict(answer=known.label, draft_sha256=generation.sha256)),
        "decision": "approve",
        "decided_by": "human",
        "final_answer": known.label,
    }
    return an_outcome(**{**facts, **changes})
