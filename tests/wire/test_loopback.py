"""The loopback server sends what the SDKs' own response types accept."""

import pytest
from anthropic.types import ErrorResponse, Message, RawMessageStreamEvent
from openai.types import Decision
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.wire.bodies import anthropic_error, anthropic_message, chat_completion, decision, response
from tests.wire.loopback import LoopbackAI, Said
from tests.wire.streams import chat_chunks, error_event, message_events, response_events

SAID = [
    Said("{}"),
    Said("{}", tokens=[("{", -0.1), ("}", -0.2)]),
    Said("{}", cached_tokens=5, reasoning_tokens=3),
    Said("no", finish="refusal"),
    Said("{", finish="length"),
    Said(""),
]
ASKED = {
    "model": "m",
    "logprobs": True,
    "top_logprobs": 2,
    "include": ["message.output_text.logprobs"],
    "stream_options": {"include_usage": True},
}


def unchanged(kind, body):
    """Whether the SDK reads the body strictly, and finds all of it."""
    return TypeAdapter(kind).validate_python(body, strict=True).to_dict(exclude_unset=True) == body


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(
    ("make", "kind"), [(chat_completion, ChatCompletion), (response, Response), (anthropic_message, Message)]
)
def test_bodies_are_valid_for_the_sdks(make, kind, said):
    assert unchanged(kind, make(said, ASKED))


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (chat_chunks, ChatCompletionChunk),
        (response_events, ResponseStreamEvent),
        (message_events, RawMessageStreamEvent),
    ],
)
def test_events_are_valid_for_the_sdks(make, kind, said):
    events = [event for event in make(said, ASKED) if event not in ("[DONE]", {"type": "ping"})]

    assert [event for event in events if not unchanged(kind, event)] == []


def test_a_failed_response_is_valid_for_the_sdk():
    assert unchanged(Response, response(Said("busy", fault="error", error="server_error"), ASKED))


def test_an_error_event_is_valid_for_the_sdk():
    assert unchanged(ResponseStreamEvent, error_event("/v1/responses", Said("busy")))


def test_decisions_are_valid_for_the_sdk():
    said = Said(probabilities={"a": 0.5, "b": None})

    assert unchanged(Decision, decision(said, {"model": "m", "questions": [{"name": "a"}, {"name": "b"}]}))


def test_anthropic_errors_are_valid_for_the_sdk():
    body = anthropic_error(Said("slow down", error="rate_limit_error"))

    assert ErrorResponse.model_validate(body).to_dict(exclude_unset=True) == body


def test_the_environment_leads_both_sdks_here():
    with LoopbackAI() as ai:
        env = ai.env

    assert env == {
        "OPENAI_BASE_URL": f"{ai.url}/v1",
        "OPENAI_API_KEY": "sk-loopback",
        "ANTHROPIC_BASE_URL": ai.url,
        "ANTHROPIC_API_KEY": "sk-ant-loopback",
    }
