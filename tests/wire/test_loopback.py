"""The loopback server sends what the SDKs' own response types accept."""

import pytest
from anthropic.types import ErrorResponse, Message
from openai.types.chat import ChatCompletion

from tests.wire.loopback import LoopbackAI, Said, anthropic_error, anthropic_message, chat_completion

SAID = [
    Said("{}"),
    Said("{}", tokens=[("{", -0.1), ("}", -0.2)]),
    Said("no", finish="refusal"),
    Said("{", finish="length"),
    Said(""),
]


@pytest.mark.parametrize("said", SAID)
def test_openai_bodies_are_valid_for_the_sdk(said):
    body = chat_completion(said, {"model": "m", "logprobs": True})

    assert ChatCompletion.model_validate(body, strict=True).to_dict(exclude_unset=True) == body


@pytest.mark.parametrize("said", SAID)
def test_anthropic_bodies_are_valid_for_the_sdk(said):
    body = anthropic_message(said, {"model": "m"})

    assert Message.model_validate(body, strict=True).to_dict(exclude_unset=True) == body


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
