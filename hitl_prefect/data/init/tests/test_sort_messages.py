"""What the model decides alone, and what it asks a person about: no server, no key."""

import asyncio

import pytest

from flows.sort_messages import ASK, Sorted
from hitl_prefect import Case, route
from hitl_prefect.direct import draft_and_score


def sent_to(message: str) -> tuple[str, str]:
    """The category that the model drafts, and `accept` or `review`."""
    case = Case(id="one", task="sorting", prompt=message, answer=Sorted)
    drafted = asyncio.run(draft_and_score(case, model="embedded:support", policy=ASK))
    decided = route(case, drafted.generation, drafted.score, policy=ASK)
    return Sorted.model_validate(drafted.generation.answer).category, decided.action


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("My card was charged twice for the same order.", ("billing", "accept")),
        ("Where is my parcel? It should have arrived on Monday.", ("delivery", "accept")),
        ("It came, but I had hoped for more. Can you do something about it?", ("feedback", "review")),
    ],
)
def test_a_person_is_asked_where_the_model_is_unsure(message: str, expected: tuple[str, str]) -> None:
    """The model is right about the first two, and takes a wish for money back for feedback."""
    assert sent_to(message) == expected
