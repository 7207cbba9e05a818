"""Each field of a request says the same in every protocol."""

import base64

import pytest

from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Request, Token
from tests.wire.conftest import anthropic_at, openai_at, request, responses_at
from tests.wire.loopback import LoopbackAI, Said

PNG = b"\x89PNG\r\n\x1a\n"
DATA = base64.b64encode(PNG).decode()
URL = "https://example.com/receipt.png"
TURN = Message(role="user", content=("Which shop?", Image(url=URL), Image.from_bytes(PNG), "Be brief."))

IN_CHAT = [
    {"type": "text", "text": "Which shop?"},
    {"type": "image_url", "image_url": {"url": URL}},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
    {"type": "text", "text": "Be brief."},
]
IN_RESPONSES = [
    {"type": "input_text", "text": "Which shop?"},
    {"type": "input_image", "image_url": URL, "detail": "auto"},
    {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}", "detail": "auto"},
    {"type": "input_text", "text": "Be brief."},
]
IN_MESSAGES = [
    {"type": "text", "text": "Which shop?"},
    {"type": "image", "source": {"type": "url", "url": URL}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
    {"type": "text", "text": "Be brief."},
]


@pytest.mark.parametrize(
    ("at", "place", "content"),
    [(openai_at, "messages", IN_CHAT), (responses_at, "input", IN_RESPONSES), (anthropic_at, "messages", IN_MESSAGES)],
    ids=["chat", "responses", "messages"],
)
async def test_images_stand_where_they_stood(at, place, content):
    with LoopbackAI() as ai:
        await at(ai).generate(Request(messages=(TURN,), answer=str))

    assert ai.requests[0].body[place] == [{"role": "user", "content": content}]


async def test_a_free_text_is_asked_for_without_a_schema(connect):
    with LoopbackAI("Paris.") as ai:
        reply = await connect(ai).generate(request(structured=False))

    assert reply.text == "Paris."
    assert {"response_format", "text", "output_config"} & set(ai.requests[0].body) == set()


async def test_log_probabilities_that_nobody_wants_are_not_asked_for(connect):
    """Not even to find out whether the model has them."""
    with LoopbackAI(Said("a", tokens=[("a", -0.5)])) as ai:
        reply = await connect(ai).generate(request(logprobs=False, top_logprobs=5))

    assert reply.tokens == ()
    assert {"logprobs", "top_logprobs", "include"} & set(ai.requests[0].body) == set()


@pytest.mark.parametrize("at", [openai_at, responses_at], ids=["chat", "responses"])
async def test_alternatives_come_with_their_tokens(at):
    with LoopbackAI(Said("ab", tokens=[("a", -0.5), ("b", -9999.0)])) as ai:
        reply = await at(ai).generate(request(top_logprobs=2))

    assert ai.requests[0].body["top_logprobs"] == 2
    assert reply.tokens == (
        Token(text="a", logprob=-0.5, utf8=(97,), top=(("a", -0.5), ("a1", -1.5))),
        Token(text="b", logprob=-9999.0, utf8=(98,), top=(("b", -9999.0), ("b1", -10000.0))),
    )


async def test_usage_counts_all_of_the_input(connect):
    """Anthropic counts what went through its cache apart; here it is part of the whole."""
    with LoopbackAI(Said("a", cached_tokens=5, reasoning_tokens=3)) as ai:
        reply = await connect(ai).generate(request())

    assert reply.usage == Usage(input_tokens=11, output_tokens=7, cached_tokens=5, reasoning_tokens=3)


@pytest.mark.parametrize(("request_s", "blocks", "sent"), [(None, 500, 500), (300, 500, 300), (300, None, 300)])
async def test_a_reply_may_take_what_the_request_says_and_else_what_the_block_does(connect, request_s, blocks, sent):
    """By each protocol's own name; without either, OpenAI's models decide and Claude's get 8,192."""
    with LoopbackAI() as ai:
        await connect(ai, max_tokens=blocks).generate(request(max_tokens=request_s))

    [asked] = ai.requests
    names = ("max_completion_tokens", "max_output_tokens", "max_tokens")
    assert [asked.body[name] for name in names if name in asked.body] == [sent]
