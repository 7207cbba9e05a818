"""What goes wrong on the wire is one of our errors, with the same class in every protocol, streamed or not."""

import pickle
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from hitl_prefect.drafts import ask
from hitl_prefect.errors import ProviderDenied, ProviderError, ProviderUnavailable, RateLimited
from hitl_prefect.models import Case
from hitl_prefect.providers.openai import OpenAIProvider
from tests.wire.conftest import KEY, PROMPT, anthropic_at, openai_at, request
from tests.wire.loopback import LoopbackAI, Said

WAYS_TO_FAIL = [
    (Said(status=400), ProviderDenied),
    (Said(status=401), ProviderDenied),
    (Said(status=402), ProviderDenied),
    (Said(status=403), ProviderDenied),
    (Said(status=404), ProviderDenied),
    (Said(status=413), ProviderDenied),
    (Said(status=422), ProviderDenied),
    (Said(status=429), RateLimited),
    (Said(status=429, error="insufficient_quota"), ProviderDenied),
    (Said(status=408), ProviderUnavailable),
    (Said(status=409), ProviderUnavailable),
    (Said(status=500), ProviderUnavailable),
    (Said(status=503), ProviderUnavailable),
    (Said(status=529, error="overloaded_error"), ProviderUnavailable),
    (Said("{}", fault="hang"), ProviderUnavailable),
    (Said("{}", fault="reset"), ProviderUnavailable),
    (Said("{}", fault="cut_off"), ProviderUnavailable),
    (Said("{}", fault="garbled"), ProviderUnavailable),
]


@pytest.fixture(params=[None, lambda _: None], ids=["whole", "streamed"])
def on_text(request):
    """Whether the reply is streamed."""
    return request.param


async def failure(provider, on_text=None, **more):
    """The error of one call."""
    with pytest.raises(ProviderError) as caught:
        await provider.generate(request(**more), on_text=on_text)
    return caught.value


@pytest.mark.parametrize(("said", "error"), WAYS_TO_FAIL, ids=lambda value: getattr(value, "__name__", None))
async def test_each_failure_has_its_class_and_costs_one_request(connect, on_text, said, error):
    with LoopbackAI(said) as ai:
        raised = await failure(connect(ai, timeout_s=0.5 if said.fault == "hang" else 20), on_text)

    assert type(raised) is error
    assert len(ai.requests) == 1


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 529])
async def test_the_asked_for_wait_is_kept(connect, on_text, status, headers, wait_s):
    with LoopbackAI(Said(status=status, headers=headers)) as ai:
        raised = await failure(connect(ai), on_text)

    assert raised.retry_after_s == wait_s


async def test_the_asked_for_wait_may_be_a_date(connect, on_text):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    with LoopbackAI(Said(status=429, headers={"retry-after": later})) as ai:
        raised = await failure(connect(ai), on_text)

    assert 50 < raised.retry_after_s <= 60


async def test_a_denial_says_what_happened_and_what_to_do_next():
    said = Said("The model `gpt-9` does not exist", status=404, error="model_not_found")
    with LoopbackAI(said) as ai:
        raised = [await failure(openai_at(ai, model="gpt-9")), await failure(anthropic_at(ai, model="claude-9"))]

    assert [str(one) for one in raised] == [
        "openai:gpt-9 refused the request: HTTP 404 model_not_found (The model `gpt-9` does not exist); "
        "check the model's name and the base URL",
        "anthropic:claude-9 refused the request: HTTP 404 model_not_found (The model `gpt-9` does not exist); "
        "check the model's name and the base URL",
    ]


async def test_the_provider_may_be_long_winded(connect):
    with LoopbackAI(Said("no " * 1000, status=400)) as ai:
        raised = await failure(connect(ai))

    assert len(str(raised)) < 400


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_no_error_shows_the_key(connect, on_text, status):
    """Neither whole, as a proxy may quote it, nor masked, as OpenAI does; not in the traceback either."""
    said = Said(f"Incorrect API key provided: {KEY}, that is sk-te***********cdef.", status=status)
    with LoopbackAI(said) as ai:
        raised = await failure(connect(ai), on_text)

    shown = "".join(traceback.format_exception(raised)) + repr(raised) + repr(pickle.loads(pickle.dumps(raised)))
    assert "[key]" in shown
    assert KEY not in shown
    assert "cdef" not in shown


@pytest.mark.parametrize("code", [PROMPT, KEY])
async def test_no_error_shows_a_code_that_is_none(connect, on_text, code):
    """Whatever a server calls the name of its error."""
    with LoopbackAI(Said("no", status=422, error=code)) as ai:
        raised = await failure(connect(ai), on_text)

    assert code not in "".join(traceback.format_exception(raised))
    assert "HTTP 422 (no); change the prompt" in str(raised)


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


@pytest.mark.parametrize(
    "said", [PROMPT, f"bad input: {PROMPT[:40]}...", f"'content': \"{PROMPT}\"", _escaped(PROMPT[:30]), "parcel number"]
)
async def test_no_error_shows_the_prompt(connect, on_text, said):
    """Compatible servers like to quote the field that they refuse."""
    with LoopbackAI(Said(said, status=422, error="invalid")) as ai:
        raised = await failure(connect(ai), on_text)

    assert "parcel" not in "".join(traceback.format_exception(raised))
    assert "HTTP 422 invalid; change the prompt or the answer type" in str(raised)


async def test_errors_cross_processes(connect, on_text):
    with LoopbackAI(Said(status=429, headers={"retry-after": "7"})) as ai:
        raised = await failure(connect(ai), on_text)

    copy = pickle.loads(pickle.dumps(raised))
    assert (type(copy), str(copy), copy.retry_after_s) == (RateLimited, str(raised), 7)


async def test_a_hanging_call_ends_at_its_time_limit(connect):
    started = time.monotonic()
    with LoopbackAI(Said(fault="hang")) as ai:
        raised = await failure(connect(ai, timeout_s=0.3))

    assert "no reply within 0.3 s" in str(raised)
    assert time.monotonic() - started < 5


async def test_nobody_listens():
    provider = OpenAIProvider("m", api_key=SecretStr(KEY), base_url="http://127.0.0.1:9/v1", timeout_s=5)

    assert type(await failure(provider)) is ProviderUnavailable


@pytest.mark.parametrize("text", ["not JSON at all", '{"answer": 5}', '{"answer": "a", "confidence": "very"}', ""])
async def test_a_text_that_does_not_validate_is_kept_to_the_letter(connect, text):
    """The SDKs' own parsing would raise, and what was paid for would be gone."""
    with LoopbackAI(text) as ai:
        reply = await connect(ai).generate(request())

    assert (reply.text, reply.finish) == (text, "stop")
    assert len(ai.requests) == 1


async def test_a_cut_off_text_is_kept_and_becomes_a_truncated_draft(connect):
    with LoopbackAI(Said('{"answer": "I was abou', finish="length")) as ai:
        draft = await ask(connect(ai), Case(id="c1", task="mail", prompt=PROMPT))

    assert (draft.status, draft.answer, draft.text) == ("truncated", None, '{"answer": "I was abou')
    assert draft.problems == ("the reply was cut off by a token limit",)
