"""A streamed reply is the one that is not streamed; a stream that breaks is an error, and never half a reply."""

import time
import traceback
from itertools import accumulate

import pytest

from hitl_prefect.errors import ProviderDenied, ProviderError, ProviderUnavailable, RateLimited
from tests.wire.conftest import KEY, PROMPT, anthropic_at, openai_at, request, responses_at
from tests.wire.loopback import LoopbackAI, Said
from tests.wire.streams import pieces

ANSWER = '{"answer": "The parcel is in Łódź.\u2028It comes on Monday.", "confidence": 0.9}'
TOKENS = [('{"answer": "', -0.1), ("é", -0.7), ('"}', -9999.0)]

SAID = {
    "plain": Said(ANSWER),
    "tokens": Said('{"answer": "é"}', tokens=TOKENS),
    "refusal": Said("I cannot help with that.", finish="refusal"),
    "length": Said('{"answer": "The par', finish="length"),
    "empty": Said(""),
    "usage": Said(ANSWER, cached_tokens=5, reasoning_tokens=3),
    "long": Said("word " * 3000),
}


async def streamed(provider, **more):
    """The reply, and what was shown of it on the way."""
    shown = []
    reply = await provider.generate(request(**more), on_text=shown.append)
    return reply, shown


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
async def test_the_streamed_reply_is_the_one_that_is_not_streamed(connect, said):
    with LoopbackAI(said) as ai:
        whole = await connect(ai).generate(request(top_logprobs=2))
        reply, shown = await streamed(connect(ai), top_logprobs=2)

    assert reply == whole
    assert shown == list(accumulate(pieces(said)))


async def test_a_content_filter_in_a_stream_is_a_refusal():
    with LoopbackAI(Said('{"ans', finish_as="content_filter")) as ai:
        replies = [(await streamed(at(ai)))[0] for at in (openai_at, responses_at)]

    assert [(reply.finish, reply.text) for reply in replies] == [("refusal", '{"ans')] * 2


async def test_a_stream_asks_for_the_same_and_for_its_usage(connect):
    with LoopbackAI() as ai:
        await connect(ai).generate(request())
        await streamed(connect(ai))

    whole, stream = (sent.body for sent in ai.requests)
    usage = {"stream_options": {"include_usage": True}} if connect is openai_at else {}
    assert stream == {**whole, "stream": True, **usage}


async def test_the_text_is_shown_while_the_model_still_writes(connect):
    """The first piece arrives long before the last."""
    when = []
    with LoopbackAI(Said("a" * 50, pace_s=0.03)) as ai:
        await connect(ai).generate(request(), on_text=lambda _: when.append(time.monotonic()))

    assert len(when) == 10
    assert when[-1] - when[0] > 0.2


@pytest.mark.parametrize("after", [0, 1, 4, -1], ids=["at once", "early", "in the middle", "at the end"])
@pytest.mark.parametrize("fault", ["reset", "cut_off", "garbled", "ends_early", "hang"])
async def test_a_stream_that_breaks_is_no_reply(connect, fault, after):
    """Wherever it breaks: a text without its end may say the opposite."""
    with LoopbackAI(Said(ANSWER, fault=fault, fault_after=after)) as ai:
        with pytest.raises(ProviderUnavailable) as caught:
            await streamed(connect(ai, timeout_s=0.4 if fault == "hang" else 20))
        assert len(ai.requests) == 1

    assert "Łódź" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("overloaded_error", ProviderUnavailable),
        ("server_error", ProviderUnavailable),
        ("what_nobody_knows", ProviderUnavailable),
        ("rate_limit_error", RateLimited),
        ("rate_limit_exceeded", RateLimited),
        ("insufficient_quota", ProviderDenied),
        ("invalid_prompt", ProviderDenied),
        ("authentication_error", ProviderDenied),
    ],
)
async def test_an_error_inside_a_reply_has_the_class_of_its_name(connect, error, kind, stream):
    said = Said(f"{PROMPT} is wrong, and so is {KEY}", fault="error", error=error, fault_after=3)
    with LoopbackAI(said) as ai, pytest.raises(ProviderError) as caught:
        await connect(ai).generate(request(), on_text=(lambda _: None) if stream else None)

    shown = "".join(traceback.format_exception(caught.value))
    assert type(caught.value) is kind
    assert f"error inside the reply: {error}" in shown
    assert KEY not in shown
    assert "parcel" not in shown


async def test_the_time_limit_covers_the_whole_stream(connect):
    """Each event comes in time, and all of them together do not."""
    started = time.monotonic()
    slow = Said("a" * 500, pace_s=0.05)
    with LoopbackAI(slow) as ai, pytest.raises(ProviderUnavailable, match=r"no reply within 0\.4 s"):
        await streamed(connect(ai, timeout_s=0.4))

    assert time.monotonic() - started < 3


async def test_streams_share_a_connection(connect):
    with LoopbackAI(ANSWER) as ai:
        for _ in range(4):
            await streamed(connect(ai))

    assert (len(ai.requests), ai.connections) == (4, 1)


async def test_what_the_reader_raises_is_not_the_providers_fault(connect):
    """And the provider can be asked again."""

    def no_room(text):
        raise KeyError("no room")

    with LoopbackAI(ANSWER) as ai:
        with pytest.raises(KeyError, match="no room"):
            await connect(ai).generate(request(), on_text=no_room)
        reply, _ = await streamed(connect(ai))

    assert reply.text == ANSWER


async def test_a_stream_without_log_probabilities_is_asked_for_once_more():
    refused = Said("logprobs are not supported with reasoning models.", status=400, param="include")
    with LoopbackAI([refused, ANSWER]) as ai:
        reply, shown = await streamed(responses_at(ai))

    assert ["include" in sent.body for sent in ai.requests] == [True, False]
    assert (reply.text, shown[-1]) == (ANSWER, ANSWER)


async def test_claude_pings_and_nobody_minds():
    with LoopbackAI(ANSWER) as ai:
        reply, _ = await streamed(anthropic_at(ai))

    assert reply.text == ANSWER
