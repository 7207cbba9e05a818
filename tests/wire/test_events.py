"""A stream is cut into the same events wherever the network cuts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.providers._events import DONE, Events
from hitl_prefect.providers._wire import CutOff, ErrorInReply
from tests.wire.streams import encoded

OBJECTS = [{"type": "a", "text": "é\u2028\x85\r"}, {"b": [1, {"c": None}]}]
STREAM = b": welcome\n\n" + b"".join(encoded(one) for one in OBJECTS) + b"id: 7\ndata: [DONE]\n\n"


@given(st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted), st.booleans())
def test_where_the_network_cuts_makes_no_difference(cuts, windows):
    stream = STREAM.replace(b"\n", b"\r\n") if windows else STREAM
    events = Events()
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert [event for chunk in chunks for event in events.feed(chunk)] == [*OBJECTS, DONE]


def test_data_may_take_several_lines():
    assert list(Events().feed(b'data: {"a":\ndata: 1}\n\n')) == [{"a": 1}]


def test_an_event_that_has_not_ended_is_none():
    assert list(Events().feed(b'data: {"a": 1}\n')) == []


@pytest.mark.parametrize("data", [b'data: {"a\n\n', b"data: 5\n\n", b"data: \xff\n\n", b"data:\n\n"])
def test_what_is_no_object_is_a_broken_stream(data):
    with pytest.raises(CutOff):
        list(Events().feed(data))


@pytest.mark.parametrize(
    "data",
    [
        b'event: error\ndata: {"message": "no"}\n\n',
        b'data: {"error": {"message": "no"}}\n\n',
        b'data: {"type": "error", "message": "no"}\n\n',
    ],
)
def test_an_error_may_be_written_in_three_ways(data):
    with pytest.raises(ErrorInReply):
        list(Events().feed(data))
