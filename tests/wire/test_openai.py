"""What goes over the wire to OpenAI, and what is made of what comes back."""

import asyncio
import os
import subprocess
import sys
from math import exp
from typing import Generic, Literal, TypeVar

import openai
from pydantic import BaseModel

from hitl_prefect.answers import AnswerType
from hitl_prefect.drafts import ask
from hitl_prefect.errors import ProviderDenied
from hitl_prefect.models import Case, LogprobSummary, Usage
from hitl_prefect.protocols import Reply, Token
from tests.wire.conftest import KEY, PROMPT, openai_at, request
from tests.wire.loopback import LoopbackAI, Said

NO_LOGPROBS = Said(
    "Unsupported parameter: 'logprobs' is not supported with this model.",
    status=400,
    error="unsupported_parameter",
    param="logprobs",
)


class Invoice(BaseModel):
    """An invoice."""

    vendor: str
    total: float


async def test_the_whole_request_is_what_openai_documents():
    """One POST: structured output in strict mode, token log probabilities, no sampling parameter."""
    turns = (("system", "Be brief."), ("user", "Who?"), ("assistant", "{}"), ("user", "Again, please."))
    with LoopbackAI() as ai:
        await openai_at(ai).generate(request(*turns, answer=Invoice, max_tokens=321))

    [sent] = ai.requests
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "gpt-5-mini",
        "messages": [{"role": role, "content": content} for role, content in turns],
        "max_completion_tokens": 321,
        "logprobs": True,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
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
    """`create` is used since `parse` loses a text that does not validate; it also names a default."""
    draft = AnswerType(Invoice).draft_model(ask_confidence=True)
    with LoopbackAI('{"vendor": "A", "total": 1, "confidence": 1}') as ai:
        await openai_at(ai).generate(request(answer=Invoice))
        async with openai.AsyncOpenAI(api_key=KEY, base_url=ai.openai_url) as client:
            await client.chat.completions.parse(
                model="gpt-5-mini",
                messages=[{"role": "user", "content": PROMPT}],
                logprobs=True,
                response_format=draft,
            )

    ours, theirs = (sent.body for sent in ai.requests)
    assert {**ours, "stream": False} == theirs


async def test_a_reply_keeps_text_tokens_usage_and_request_id():
    said = Said('{"answer": "é"}', tokens=[('{"answer": "', -0.1), ("é", -0.7), ('"}', -9999.0)])
    with LoopbackAI(said) as ai:
        reply = await openai_at(ai).generate(request())

    assert reply == Reply(
        text='{"answer": "é"}',
        finish="stop",
        model="gpt-5-mini",
        tokens=(
            Token(text='{"answer": "', logprob=-0.1, utf8=tuple(b'{"answer": "')),
            Token(text="é", logprob=-0.7, utf8=(0xC3, 0xA9)),
            Token(text='"}', logprob=-9999.0, utf8=tuple(b'"}')),
        ),
        usage=Usage(input_tokens=11, output_tokens=7),
        request_id="req_loopback",
    )


async def test_log_probabilities_end_up_in_the_draft():
    """The sentinel for `very unlikely` is bounded, and the stated confidence does not count as a decision."""
    tokens = [('{"answer": "', 0.0), ("refund", -0.5), ('", "confidence": ', 0.0), ("0.9", -9999.0), ("}", 0.0)]
    with LoopbackAI(Said('{"answer": "refund", "confidence": 0.9}', tokens=tokens)) as ai:
        draft = await ask(openai_at(ai), Case(id="c1", task="mail", prompt=PROMPT))

    assert (draft.answer, draft.stated_confidence, draft.status) == ("refund", 0.9, "ok")
    assert draft.logprobs == LogprobSummary(
        mean=exp((-0.5 - 50) / 5), minimum=exp(-50), decision=exp(-0.5), fields={"answer": exp(-0.5)}, tokens=5
    )


async def test_a_model_without_log_probabilities_is_probed_once():
    """The refused request is repeated without; every later call, also of another object, asks without at once."""
    with LoopbackAI([NO_LOGPROBS, '{"answer": "a"}']) as ai:
        replies = [await openai_at(ai).generate(request()) for _ in range(3)]

    assert ["logprobs" in sent.body for sent in ai.requests] == [True, False, False, False]
    assert {reply.text for reply in replies} == {'{"answer": "a"}'}


async def test_what_was_probed_is_known_to_the_next_process():
    """Every flow run is a process of its own, and asks once."""
    with LoopbackAI([NO_LOGPROBS, '{"answer": "a"}']) as ai:
        await openai_at(ai).generate(request())
        code = (
            "import asyncio; from tests.wire.conftest import request; from hitl_prefect.providers import provider_for; "
            "asyncio.run(provider_for('openai:gpt-5-mini').generate(request()))"
        )
        command, environment = [sys.executable, "-c", code], os.environ | ai.env
        await asyncio.to_thread(subprocess.run, command, env=environment, check=True, timeout=60)

    assert ["logprobs" in sent.body for sent in ai.requests] == [True, False, False]


async def test_without_a_place_to_write_the_process_remembers(monkeypatch):
    """A read-only container probes once per process, and works."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    with LoopbackAI([NO_LOGPROBS, '{"answer": "a"}']) as ai:
        for _ in range(2):
            await openai_at(ai).generate(request())

    assert ["logprobs" in sent.body for sent in ai.requests] == [True, False, False]


async def test_each_model_is_probed_by_itself():
    def reply(path, body):
        return NO_LOGPROBS if body["model"] == "gpt-5-mini" and body.get("logprobs") else "{}"

    with LoopbackAI(reply) as ai:
        for model in ("gpt-5-mini", "gpt-4.1", "gpt-5-mini", "gpt-4.1"):
            await openai_at(ai, model=model).generate(request())

    assert [(sent.body["model"], "logprobs" in sent.body) for sent in ai.requests] == [
        ("gpt-5-mini", True),
        ("gpt-5-mini", False),
        ("gpt-4.1", True),
        ("gpt-5-mini", False),
        ("gpt-4.1", True),
    ]


async def test_a_refusal_in_words_counts_as_one():
    """Some models answer 403 or 422, and name no parameter."""
    denied = Said("You are not allowed to request logprobs from this model.", status=403)
    with LoopbackAI([denied, "{}"]) as ai:
        await openai_at(ai).generate(request())

    assert ["logprobs" in sent.body for sent in ai.requests] == [True, False]


async def test_a_probe_that_fails_for_another_reason_teaches_nothing():
    with LoopbackAI([NO_LOGPROBS, Said("no", status=400), "{}"]) as ai:
        await _denied(openai_at(ai))
        await openai_at(ai).generate(request())

    assert ["logprobs" in sent.body for sent in ai.requests] == [True, False, True]


async def _denied(provider):
    try:
        await provider.generate(request())
    except ProviderDenied:
        return
    raise AssertionError("expected a denial")


async def test_a_refusal_is_a_reply():
    with LoopbackAI(Said("I cannot help with that.", finish="refusal")) as ai:
        reply = await openai_at(ai).generate(request())

    assert (reply.finish, reply.text) == ("refusal", "I cannot help with that.")


async def test_a_content_filter_is_a_refusal():
    with LoopbackAI(Said('{"ans', finish_as="content_filter")) as ai:
        reply = await openai_at(ai).generate(request())

    assert (reply.finish, reply.text) == ("refusal", '{"ans')


async def test_a_generic_model_has_a_name_that_openai_takes():
    """OpenAI refuses names outside letters, digits, `_` and `-`."""
    value = TypeVar("value")

    class Box(BaseModel, Generic[value]):
        inside: value

    with LoopbackAI() as ai:
        await openai_at(ai).generate(request(answer=Box[Literal["a"]]))

    assert ai.requests[0].body["response_format"]["json_schema"]["name"] == "Box_Literal__a___"


async def test_calls_run_side_by_side_and_each_is_one_request():
    with LoopbackAI(Said('{"answer": "a"}', delay_s=0.05)) as ai:
        provider = openai_at(ai)
        await asyncio.gather(*(provider.generate(request()) for _ in range(8)))

    assert len(ai.requests) == 8


def test_a_provider_outlives_the_event_loop_of_its_first_call():
    """Each Prefect task may bring its own loop."""
    with LoopbackAI() as ai:
        provider = openai_at(ai)
        replies = [asyncio.run(provider.generate(request())).text for _ in range(2)]

    assert replies == ['{"answer": "ok"}'] * 2
