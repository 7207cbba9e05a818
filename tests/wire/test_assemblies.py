"""A streamed body is whole when everything that ends it has come."""

import traceback

import pytest

from hitl_prefect.models import Usage
from hitl_prefect.protocols import Token
from hitl_prefect.providers._chat import ChatAssembly, chat_reply
from hitl_prefect.providers._claude import MessageAssembly
from hitl_prefect.providers._events import DONE
from hitl_prefect.providers._exchange import Answered
from hitl_prefect.providers._responses import ResponsesAssembly, responses_reply
from hitl_prefect.providers._wire import CutOff, ErrorInReply
from tests.wire.bodies import response
from tests.wire.loopback import Said
from tests.wire.streams import chat_chunks, message_events, response_events

ASKED = {"model": "m", "logprobs": True, "include": ["message.output_text.logprobs"]}
SAID = Said("yes", tokens=[("yes", -0.5)])


def assembled(assembly, events):
    for event in events:
        assembly.add(event)
    return assembly.whole()


@pytest.mark.parametrize("missing", ["finish", "done"])
def test_a_chat_needs_a_finish_reason_and_its_done(missing):
    *chunks, finish, done = chat_chunks(SAID, ASKED)
    assert done == "[DONE]"
    events = [*chunks, DONE] if missing == "finish" else [*chunks, finish]

    with pytest.raises(CutOff, match="the stream ended before the reply did"):
        assembled(ChatAssembly(), events)


@pytest.mark.parametrize("missing", [0, -1], ids=["message_start", "message_stop"])
def test_a_message_needs_its_start_and_its_stop(missing):
    events = message_events(SAID, ASKED)
    del events[missing]

    with pytest.raises(CutOff, match="the stream ended before the reply did"):
        assembled(MessageAssembly(), events)


def test_a_count_that_is_not_sent_again_stays():
    """The last counts of a message name everything, and leave what has not changed at null."""
    events = message_events(Said("yes", cached_tokens=5), ASKED)
    events[-2]["usage"] |= {"input_tokens": None, "cache_read_input_tokens": None, "cache_creation_input_tokens": None}
    body = assembled(MessageAssembly(), events)

    assert body.usage.as_usage() == Usage(input_tokens=11, output_tokens=7, cached_tokens=5)


def test_a_response_needs_its_last_event():
    with pytest.raises(CutOff, match="the stream ended before the reply did"):
        assembled(ResponsesAssembly(), response_events(SAID, ASKED)[:-1])


def test_a_response_that_failed_is_an_error():
    failed = response(Said("try later", fault="error", error="rate_limit_exceeded"), ASKED)

    with pytest.raises(ErrorInReply) as caught:
        assembled(ResponsesAssembly(), [{"type": "response.failed", "response": failed}])
    assert caught.value.body["error"]["code"] == "rate_limit_exceeded"


def test_log_probabilities_that_only_the_stream_told_are_kept():
    """The whole response may leave them out; a delta holds no bytes."""
    *deltas, last = response_events(SAID, ASKED)
    last["response"]["output"][1]["content"][0]["logprobs"] = []
    body = assembled(ResponsesAssembly(), [*deltas, last])

    assert responses_reply(Answered(body, None), "m").tokens == (Token(text="yes", logprob=-0.5),)


@pytest.mark.parametrize(
    ("assembly", "event"),
    [
        (ChatAssembly, {"choices": 5}),
        (ChatAssembly, {"choices": [{"delta": {"content": {"secret": 1}}}]}),
        (ResponsesAssembly, {"type": "response.output_text.delta", "delta": None}),
        (MessageAssembly, {"type": "message_start"}),
    ],
)
def test_an_event_of_another_shape_is_a_broken_stream(assembly, event):
    with pytest.raises(CutOff, match="is not what the API documents") as caught:
        assembly().add(event)

    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_of_several_choices_the_first_is_the_reply_and_nothing_counts_after_the_end():
    """Some servers send more than was asked for; the texts must not run into each other."""
    *chunks, done = chat_chunks(SAID, ASKED)
    assert done == "[DONE]"
    other = {"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]}
    late = {"choices": [{"index": 0, "delta": {"content": "!"}, "finish_reason": "length"}]}
    plain = assembled(ChatAssembly(), [*chunks, DONE])

    assert assembled(ChatAssembly(), [other, *chunks, other, DONE, late]) == plain
    assert chat_reply(Answered(plain, None), "m").text == "yes"
