"""A decider answers questions with probabilities."""

import pytest

from hitl_prefect.errors import ProviderDenied, ProviderUnavailable, RateLimited
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Decided, Decider, Question
from tests.wire.conftest import KEY, PROMPT, anthropic_at, openai_at
from tests.wire.loopback import LoopbackAI, Said

URL = "https://example.com/receipt.png"
MESSAGES = (
    Message(role="system", content="Be strict."),
    Message(role="user", content=(PROMPT, Image(url=URL))),
    Message(role="assistant", content="In Paris."),
)
QUESTIONS = (
    Question(name="correct", instructions="The answer is right."),
    Question(name="polite", instructions="The answer is polite."),
)


async def decide(ai):
    return await openai_at(ai, model="gpt-6-luna").decide(MESSAGES, QUESTIONS)


async def test_all_questions_go_in_one_request():
    with LoopbackAI(Said(probabilities={"correct": 0.83, "polite": 0.5})) as ai:
        await decide(ai)

    [sent] = ai.requests
    assert sent.path == "/v1/decisions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "gpt-6-luna",
        "input": [
            {"type": "message", "role": "system", "content": "Be strict."},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": PROMPT}, {"type": "input_image", "image_url": URL}],
            },
            {"type": "message", "role": "assistant", "content": "In Paris."},
        ],
        "questions": [
            {"type": "predicate", "name": "correct", "instructions": "The answer is right."},
            {"type": "predicate", "name": "polite", "instructions": "The answer is polite."},
        ],
    }


async def test_each_question_has_its_probability():
    with LoopbackAI(Said(probabilities={"correct": 0.83, "polite": 0.0}, cached_tokens=5)) as ai:
        decided = await decide(ai)

    assert decided == Decided(
        probabilities={"correct": 0.83, "polite": 0.0},
        model="gpt-6-luna",
        usage=Usage(input_tokens=11, output_tokens=7, cached_tokens=5, reasoning_tokens=0),
        request_id="req_loopback",
    )


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ({"correct": None, "polite": 0.5}, {"correct": None, "polite": 0.5}),
        ({"polite": 0.5}, {"correct": None, "polite": 0.5}),
        ({}, {"correct": None, "polite": None}),
        ({"correct": 1.0000001, "polite": -0.0000001}, {"correct": 1.0, "polite": 0.0}),
        ({"correct": 95.0, "polite": -0.01}, {"correct": None, "polite": None}),
        ({"correct": float("nan"), "polite": float("inf")}, {"correct": None, "polite": None}),
        ({"correct": "likely", "polite": 1}, {"correct": None, "polite": 1.0}),
    ],
    ids=["declined", "missing", "none at all", "rounded", "no probability", "no number", "in words"],
)
async def test_what_is_no_probability_is_none(said, heard):
    """A question without an answer is uncertain, and never sure of anything."""
    with LoopbackAI(Said(probabilities=said)) as ai:
        decided = await decide(ai)

    assert decided.probabilities == heard


async def test_a_misnamed_answer_answers_nothing():
    with LoopbackAI(Said(probabilities={"correct": 0.9}, answer_as={"correct": "korrekt"})) as ai:
        decided = await decide(ai)

    assert decided.probabilities == {"correct": None, "polite": None}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Said(PROMPT, status=400), ProviderDenied),
        (Said(PROMPT, status=404), ProviderDenied),
        (Said(PROMPT, status=429), RateLimited),
        (Said(PROMPT, status=503), ProviderUnavailable),
        (Said(PROMPT, fault="error", error="rate_limit_exceeded"), RateLimited),
        (Said(fault="reset"), ProviderUnavailable),
        (Said(fault="cut_off"), ProviderUnavailable),
        (Said(fault="garbled"), ProviderUnavailable),
    ],
)
async def test_each_failure_has_its_class(said, error):
    with LoopbackAI(said) as ai:
        with pytest.raises(error) as caught:
            await decide(ai)
        assert len(ai.requests) == 1

    assert "parcel" not in str(caught.value)


def test_only_openai_decides():
    with LoopbackAI() as ai:
        assert isinstance(openai_at(ai), Decider)
        assert not isinstance(anthropic_at(ai), Decider)
