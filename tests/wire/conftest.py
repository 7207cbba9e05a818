"""What the wire tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hitl_prefect.messages import Message
from hitl_prefect.protocols import Provider, Request
from hitl_prefect.providers import _memory
from hitl_prefect.providers.anthropic import AnthropicProvider
from hitl_prefect.providers.openai import OpenAIProvider
from tests.wire.loopback import LoopbackAI

KEY = "sk-test-0123456789abcdef"
PROMPT = "Where is parcel number 4711 that I ordered three weeks ago?"

Connect = Callable[..., Provider]


def request(*messages: tuple[str, str], answer: object = str, **more: object) -> Request:
    """A request with these (role, content) messages; one question where there are none."""
    turns = messages or (("user", PROMPT),)
    return Request(
        messages=tuple(Message(role=role, content=content) for role, content in turns), answer=answer, **more
    )


def openai_at(ai: LoopbackAI, *, model: str = "gpt-5-mini", timeout_s: float = 20, **more: Any) -> OpenAIProvider:
    """Chat Completions, as at any address but OpenAI's own, unless told otherwise."""
    return OpenAIProvider(model, api_key=SecretStr(KEY), base_url=ai.openai_url, timeout_s=timeout_s, **more)


def responses_at(ai: LoopbackAI, **more: Any) -> OpenAIProvider:
    return openai_at(ai, api="responses", **more)


def anthropic_at(
    ai: LoopbackAI, *, model: str = "claude-haiku-4-5", timeout_s: float = 20, **more: Any
) -> AnthropicProvider:
    return AnthropicProvider(model, api_key=SecretStr(KEY), base_url=ai.url, timeout_s=timeout_s, **more)


@pytest.fixture(params=[openai_at, responses_at, anthropic_at], ids=["chat", "responses", "messages"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Builds the adapter under test against a loopback server."""
    return request.param


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test meets models whose log probabilities nobody has asked for yet."""
    _memory._here.clear()
    _memory._not_yet.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
