"""What goes over the wire to OpenAI's Responses API, and when it is used."""

import openai
import pytest
from pydantic import BaseModel

from hitl_prefect.answers import AnswerType
from hitl_prefect.blocks import OpenAIModel
from hitl_prefect.errors import ProviderDenied
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Reply, Token
from hitl_prefect.providers._apis import blames_the_api, usual_api
from tests.wire.conftest import KEY, PROMPT, openai_at, request, responses_at
from tests.wire.loopback import LoopbackAI, Said

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
NOT_A_CHAT_MODEL = Said(
    "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
    "Did you mean to use v1/completions?",
    status=404,
    error="invalid_request_error",
    param="model",
)
NO_LOGPROBS = Said("logprobs are not supported with reasoning models.", status=400, param="include")


class Invoice(BaseModel):
    """An invoice."""

    vendor: str
    total: float


async def test_the_whole_request_is_what_openai_documents():
    """Structured output in strict mode, log probabilities, nothing stored; system turns are the developer's."""
    turns = (("system", "Be brief."), ("user", "Who?"), ("assistant", "{}"), ("user", "Again, please."))
    with LoopbackAI() as ai:
        await responses_at(ai).generate(request(*turns, answer=Invoice, max_tokens=321))

    [sent] = ai.requests
    assert sent.path == RESPONSES
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "gpt-5-mini",
        "input": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": "{}"},
            {"role": "user", "content": "Again, please."},
        ],
        "max_output_tokens": 321,
        "store": False,
        "include": ["message.output_text.logprobs"],
        "text": {
            "format": {
                "type": "json_schema",
                "name": "Invoice",
                "strict": True,
                "schema": {
                    "title": "Invoice",
                    "description": "An invoice.",
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["vendor", "total", "confidence"],
                    "properties": {
                        "vendor": {"title": "Vendor", "type": "string"},
                        "total": {"title": "Total", "type": "number"},
                        "confidence": {
                            "title": "Confidence",
                            "type": "number",
                            "minimum": 0,
                            "maximum": 1,
                            "description": "How sure you are that this answer is right: 0 is a guess, 1 is certain.",
                        },
                    },
                },
            },
        },
    }


async def test_the_body_is_the_one_that_the_sdks_own_parse_sends():
    """`create` is used since `parse` loses a text that does not validate."""
    draft = AnswerType(Invoice).draft_model(ask_confidence=True)
    with LoopbackAI('{"vendor": "A", "total": 1, "confidence": 1}') as ai:
        await responses_at(ai).generate(request(answer=Invoice))
        async with openai.AsyncOpenAI(api_key=KEY, base_url=ai.openai_url) as client:
            await client.responses.parse(
                model="gpt-5-mini",
                input=[{"role": "user", "content": PROMPT}],
                store=False,
                include=["message.output_text.logprobs"],
                text_format=draft,
            )

    ours, theirs = (sent.body for sent in ai.requests)
    assert ours == theirs


async def test_a_reply_keeps_text_tokens_usage_and_request_id():
    """What the model thought is no part of the text, though it is paid for."""
    tokens = [('{"answer": "', -0.1), ("é", -0.7), ('"}', -9999.0)]
    with LoopbackAI(Said('{"answer": "é"}', tokens=tokens, cached_tokens=4, reasoning_tokens=3)) as ai:
        reply = await responses_at(ai).generate(request())

    assert reply == Reply(
        text='{"answer": "é"}',
        finish="stop",
        model="gpt-5-mini",
        tokens=tuple(Token(text=text, logprob=logprob, utf8=tuple(text.encode())) for text, logprob in tokens),
        usage=Usage(input_tokens=11, output_tokens=7, cached_tokens=4, reasoning_tokens=3),
        request_id="req_loopback",
    )


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        (Said('{"ans'), "stop"),
        (Said('{"ans', finish="length"), "length"),
        (Said('{"ans', finish_as="content_filter"), "refusal"),
        (Said("I cannot help with that.", finish="refusal"), "refusal"),
    ],
)
async def test_every_ending_has_its_word(said, finish):
    with LoopbackAI(said) as ai:
        reply = await responses_at(ai).generate(request())

    assert (reply.finish, reply.text) == (finish, said.text)


async def test_fewer_than_16_tokens_cannot_be_asked_for():
    with LoopbackAI() as ai:
        await responses_at(ai).generate(request(max_tokens=1))

    assert ai.requests[0].body["max_output_tokens"] == 16


async def test_a_model_that_reasons_is_probed_once_for_log_probabilities():
    """OpenAI blames `include`, and names them in words only."""
    with LoopbackAI([NO_LOGPROBS, '{"answer": "a"}']) as ai:
        for _ in range(2):
            await responses_at(ai).generate(request())

    assert ["include" in sent.body for sent in ai.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("model", "host", "api"),
    [
        ("gpt-5-mini", "api.openai.com", "responses"),
        ("gpt-6-luna", "api.openai.com", "responses"),
        ("o3-pro", "api.openai.com", "responses"),
        ("codex-mini-latest", "api.openai.com", "responses"),
        ("gpt-5-mini", "eu.api.openai.com", "responses"),
        ("gpt-4.1-mini", "api.openai.com", "chat"),
        ("gpt-4o", "api.openai.com", "chat"),
        ("gpt-3.5-turbo", "api.openai.com", "chat"),
        ("chatgpt-4o-latest", "api.openai.com", "chat"),
        ("ft:gpt-4.1:acme::x1", "api.openai.com", "chat"),
        ("gpt-5-mini", "localhost", "chat"),
        ("gpt-5-mini", "api.openai.com.example.org", "chat"),
        ("gpt-5-mini", "acme.openai.azure.com", "chat"),
    ],
)
def test_each_model_has_its_usual_api(model, host, api):
    assert usual_api(model, host) == api


async def test_a_model_that_only_the_other_api_serves_is_asked_there_in_the_same_call():
    """And by every later call at once, as other models still ask where they did."""

    def reply(path, body):
        return NOT_A_CHAT_MODEL if path == CHAT and body["model"] == "gpt-5-pro" else '{"answer": "a"}'

    with LoopbackAI(reply) as ai:
        replies = [await openai_at(ai, model=model).generate(request()) for model in ("gpt-5-pro", "gpt-5-pro", "m")]

    assert [sent.path for sent in ai.requests] == [CHAT, RESPONSES, RESPONSES, CHAT]
    assert {one.text for one in replies} == {'{"answer": "a"}'}


async def test_both_things_may_turn_out_in_one_call():
    with LoopbackAI([NOT_A_CHAT_MODEL, NO_LOGPROBS, '{"answer": "a"}']) as ai:
        for _ in range(2):
            await openai_at(ai).generate(request())

    assert [(sent.path, "include" in sent.body) for sent in ai.requests] == [
        (CHAT, False),
        (RESPONSES, True),
        (RESPONSES, False),
        (RESPONSES, False),
    ]


async def test_a_model_that_neither_api_serves_teaches_nothing():
    with LoopbackAI([NOT_A_CHAT_MODEL, NOT_A_CHAT_MODEL, "{}"]) as ai:
        with pytest.raises(ProviderDenied, match="not a chat model"):
            await openai_at(ai).generate(request())
        await openai_at(ai).generate(request())

    assert [sent.path for sent in ai.requests] == [CHAT, RESPONSES, CHAT]


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_an_api_that_was_asked_for_is_not_left(api):
    with LoopbackAI(NOT_A_CHAT_MODEL) as ai:
        with pytest.raises(ProviderDenied):
            await openai_at(ai, api=api).generate(request())
        assert len(ai.requests) == 1


@pytest.mark.parametrize(
    ("status", "message", "blamed"),
    [
        (404, "This model is only supported in v1/responses and not in v1/chat/completions.", True),
        (404, NOT_A_CHAT_MODEL.text, True),
        (400, 'model "gpt-5.4" is not accessible via the /chat/completions endpoint', True),
        (400, "The model `gpt-4o-search` is not supported with the Responses API.", True),
        (404, "Invalid URL (POST /v1/responses)", True),
        (404, "The model `gpt-9` does not exist or you do not have access to it.", False),
        (400, "Invalid schema for response_format 'Draft'", False),
        (429, "Rate limit reached for v1/responses", False),
        (500, "The v1/responses server had an error", False),
    ],
)
def test_only_a_refusal_that_names_an_api_is_about_the_api(status, message, blamed):
    assert blames_the_api(status, message) is blamed


def test_a_block_names_the_api():
    block = OpenAIModel(model="m", api_key=KEY, api="responses")

    assert (block.get_provider().api, OpenAIModel(model="m", api_key=KEY).get_provider().api) == ("responses", "auto")
