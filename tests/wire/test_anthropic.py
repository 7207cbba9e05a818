"""What goes over the wire to Anthropic, and what is made of what comes back."""

from typing import Any

import anthropic
import pytest
from pydantic import BaseModel, Field

from hitl_prefect.answers import AnswerType
from hitl_prefect.drafts import ask
from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Case, Usage
from hitl_prefect.protocols import Reply
from tests.wire.conftest import KEY, PROMPT, anthropic_at, request
from tests.wire.loopback import LoopbackAI, Said


class Invoice(BaseModel):
    """An invoice."""

    vendor: str
    total: float = Field(ge=0)


async def test_the_whole_request_is_what_anthropic_documents():
    """System turns are joined into `system`; the order of the others stays; no sampling parameter."""
    turns = (
        ("system", "Be brief."),
        ("user", "Who?"),
        ("assistant", "{}"),
        ("system", "Answer in English."),
        ("user", "Again, please."),
    )
    with LoopbackAI() as ai:
        await anthropic_at(ai).generate(request(*turns, answer=Invoice, max_tokens=321))

    [sent] = ai.requests
    assert sent.path == "/v1/messages"
    assert sent.headers["authorization"] == f"Bearer {KEY}"  # not `x-api-key`, since version 2 of the SDK
    assert sent.body == {
        "model": "claude-haiku-4-5",
        "max_tokens": 321,
        "system": "Be brief.\n\nAnswer in English.",
        "messages": [
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": "{}"},
            {"role": "user", "content": "Again, please."},
        ],
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {
                    "title": "Invoice",
                    "description": "An invoice.",
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["vendor", "total", "confidence"],
                    "properties": {
                        "vendor": {"title": "Vendor", "type": "string"},
                        "total": {"title": "Total", "type": "number", "description": "{minimum: 0}"},
                        "confidence": {
                            "title": "Confidence",
                            "type": "number",
                            "description": "How sure you are that this answer is right: 0 is a guess, 1 is certain."
                            "\n\n{maximum: 1, minimum: 0}",
                        },
                    },
                },
            }
        },
    }


async def test_the_body_is_the_one_that_the_sdks_own_parse_sends():
    """`create` is used since `parse` loses a text that does not validate; nothing else differs."""
    draft = AnswerType(Invoice).draft_model(ask_confidence=True)
    with LoopbackAI('{"vendor": "A", "total": 1, "confidence": 1}') as ai:
        await anthropic_at(ai).generate(request(answer=Invoice))
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=ai.url) as client:
            await client.messages.parse(
                model="claude-haiku-4-5",
                max_tokens=8192,
                messages=[{"role": "user", "content": PROMPT}],
                output_format=draft,
            )

    ours, theirs = (sent.body for sent in ai.requests)
    assert ours == theirs


async def test_a_reply_keeps_text_usage_and_request_id():
    with LoopbackAI('{"answer": "é"}') as ai:
        reply = await anthropic_at(ai).generate(request())

    assert reply == Reply(
        text='{"answer": "é"}',
        finish="stop",
        model="claude-haiku-4-5",
        usage=Usage(input_tokens=11, output_tokens=7),
        request_id="req_loopback",
    )


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("refusal", "refusal"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
    ],
)
async def test_every_stop_reason_has_its_word(stop_reason, finish):
    with LoopbackAI(Said('{"ans', finish_as=stop_reason)) as ai:
        reply = await anthropic_at(ai).generate(request())

    assert (reply.finish, reply.text) == (finish, '{"ans')


async def test_a_refusal_without_any_text_is_a_reply():
    with LoopbackAI(Said("", finish="refusal")) as ai:
        reply = await anthropic_at(ai).generate(request())

    assert (reply.finish, reply.text) == ("refusal", "")


async def test_a_code_fence_around_the_json_is_read_through():
    text = '```json\n{"answer": "refund", "confidence": 0.8}\n```'
    with LoopbackAI(text) as ai:
        draft = await ask(anthropic_at(ai), Case(id="c1", task="mail", prompt=PROMPT))

    assert (draft.status, draft.answer, draft.stated_confidence, draft.text) == ("ok", "refund", 0.8, text)


async def test_an_answer_type_that_claude_cannot_be_told_is_a_mistake_of_the_author():
    with LoopbackAI() as ai, pytest.raises(ConfigError, match="cannot be described to Claude"):
        await anthropic_at(ai).generate(request(answer=Any))

    assert ai.requests == []
