"""Servers that speak OpenAI's protocol nearly: what they leave out is missing, and what was paid for is kept."""

import pytest

from hitl_prefect.models import Usage
from hitl_prefect.protocols import Reply
from hitl_prefect.providers._chat import ChatBody, chat_reply
from hitl_prefect.providers._exchange import Answered, read_as
from hitl_prefect.providers._wire import CutOff


def reply(body):
    return chat_reply(Answered(read_as(ChatBody, body), None), "asked-for")


def test_only_a_message_is_needed():
    assert reply({"choices": [{"message": {"content": "yes"}}]}) == Reply(text="yes", finish="stop", model="asked-for")


@pytest.mark.parametrize("usage", [None, "much", {"prompt_tokens": "many"}])
def test_a_usage_that_cannot_be_read_costs_no_reply(usage):
    assert reply({"choices": [{"message": {"content": "yes"}}], "usage": usage}).usage == Usage()


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": [{"token": "a"}]}, [1]])
def test_log_probabilities_that_cannot_be_read_cost_no_reply(logprobs):
    assert reply({"choices": [{"message": {"content": "yes"}, "logprobs": logprobs}]}).tokens == ()


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "hello"}]}])
def test_a_body_without_a_message_is_no_reply(body):
    with pytest.raises(CutOff, match="is not what the API documents"):
        reply(body)
