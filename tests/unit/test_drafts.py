"""From a reply to a draft."""

from math import exp

import pytest

from hitl_prefect.drafts import ask, request_for
from hitl_prefect.errors import RateLimited
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, LogprobSummary, Usage
from hitl_prefect.providers.scripted import ScriptedProvider, Step

CASE = Case(id="c1", task="mail", prompt="What is it?")
GOOD = '{"answer": "refund", "confidence": 0.8}'
TOKENS = (('{"answer": "', 0), ("refund", -1), ('", "confidence": 0.8}', 0))


async def draft(step: str | Step):
    return await ask(ScriptedProvider([step]), CASE)


async def test_a_good_reply_becomes_a_draft():
    made = await draft(Step(text=GOOD, probability=0.7, tokens=TOKENS))

    assert made.model_dump(exclude={"created_at", "latency_s", "sha256"}) == {
        "answer": "refund",
        "text": GOOD,
        "status": "ok",
        "problems": (),
        "model": "script",
        "provider": "scripted",
        "prompt_sha256": CASE.prompt_sha256,
        "attempt": 1,
        "guidance": None,
        "stated_confidence": 0.8,
        "probability": 0.7,
        "logprobs": LogprobSummary(
            mean=exp(-1 / 3), minimum=exp(-1), decision=exp(-1), fields={"answer": exp(-1)}, tokens=3
        ).model_dump(),
        "usage": Usage().model_dump(),
        "cost_usd": 0.0,
        "request_id": None,
    }


@pytest.mark.parametrize(
    ("step", "status", "problem"),
    [
        (Step(text="no", refusal=True), "refused", "the model declined to answer"),
        (Step(text=GOOD, truncated=True), "truncated", "the reply was cut off by a token limit"),
        (Step(text='{"answer": 5}'), "invalid", "answer: Input should be a valid string"),
    ],
)
async def test_a_reply_without_a_valid_answer_is_a_draft_that_says_why(step, status, problem):
    """Even where a cut-off or refused text happens to be valid: nobody may accept it."""
    made = await draft(step)

    assert (made.status, made.answer, made.text, made.problems) == (status, None, step.text, (problem,))


async def test_text_that_cannot_be_stored_is_replaced():
    """A lone surrogate has no UTF-8."""
    made = await draft(Step(text='{"answer": "a\ud800"}'))

    assert (made.text, made.answer) == ('{"answer": "a?"}', "a?")


async def test_an_error_of_the_provider_passes_through():
    with pytest.raises(RateLimited):
        await ask(ScriptedProvider([RateLimited("slow down", 3)]), CASE)


async def test_another_attempt_shows_the_earlier_draft_and_the_guidance():
    provider = ScriptedProvider(['{"answer": "refund"}', '{"answer": "billing"}'])
    first = await ask(provider, CASE)
    second = await ask(provider, CASE, guidance="Look at the amount.", earlier=first)

    assert provider.requests[1].messages == (
        Message(role="user", content="What is it?"),
        Message(role="assistant", content='{"answer": "refund"}'),
        Message(role="user", content="A reviewer asks for another attempt:\nLook at the amount."),
    )
    assert (second.attempt, second.guidance, second.prompt_sha256) == (2, "Look at the amount.", first.prompt_sha256)
    assert second.sha256 != first.sha256


async def test_an_empty_draft_is_shown_as_such():
    """Providers refuse empty messages."""
    first = await draft("")
    request = request_for(CASE, guidance="Try.", earlier=first)

    assert request.messages[1] == Message(role="assistant", content="(no answer)")


async def test_latency_is_measured():
    made = await draft(Step(text=GOOD, delay_s=0.05))

    assert 0.04 < made.latency_s < 5


async def test_tokens_that_spell_another_text_say_nothing_of_this_one():
    """Some servers list the tokens of a model's thoughts before those of its reply."""
    thoughts = (('{"answer": "', 0), ("billing", 0), ('"}', 0))
    both = await draft(Step(text=GOOD, tokens=(*thoughts, *TOKENS)))
    other = await draft(Step(text=GOOD, tokens=thoughts))

    assert both.logprobs == LogprobSummary(
        mean=exp(-1 / 3), minimum=exp(-1), decision=exp(-1), fields={"answer": exp(-1)}, tokens=3
    )
    assert other.logprobs is None


async def test_a_key_that_is_there_twice_has_no_logprobs_of_its_own():
    """The last one counts as the answer; which tokens decided it cannot be told."""
    text = '{"answer": "no", "answer": "yes"}'
    made = await draft(Step(text=text, tokens=((text, -0.1),)))

    assert (made.answer, made.logprobs.decision, made.logprobs.fields) == ("yes", None, {})
