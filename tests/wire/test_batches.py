"""Batches with the real SDKs: what is sent, and what is made of what comes back, however it comes."""

import json
from typing import Literal

import pytest
from pydantic import BaseModel

from hitl_prefect import afetch_batches, asubmit_batch
from hitl_prefect.batch_protocol import BatchLimits
from hitl_prefect.batches import FetchedBatch
from hitl_prefect.batching import split
from hitl_prefect.errors import ConfigError, ProviderDenied
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Case, Usage
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.providers import _memory, provider_for
from hitl_prefect.providers.openai import OpenAIProvider
from tests.wire import batching
from tests.wire.batching import MODELS, everything_in, fetched, open_record, some_cases, submitted
from tests.wire.loopback import LoopbackAI

server, store, model = batching.server, batching.store, batching.model


class Invoice(BaseModel):
    """An invoice."""

    vendor: str
    lines: list[Literal["goods", "work"]]


async def test_each_case_gets_its_own_draft_though_results_come_in_reverse(server, store, model):
    """From submitting to handing over: one batch, one draft per case, by its `custom_id`."""
    server.answer = lambda _name, body: json.dumps({"answer": str(body["messages"]), "confidence": 0.8})
    made = await submitted(store, model)
    server.end()
    [found], ready = await fetched(store)

    handed_over = {"status": "handed_over", "requests": 3, "drafts": 3}
    assert found == FetchedBatch(key=made.key, model=model, **handed_over)
    assert [f"Question {n}?" in one.draft.answer for n, one in enumerate(ready)] == [True] * 3
    assert [one.key for one in ready] == [f"hitl-batch-{made.key[:24]}-{n}" for n in range(3)]
    assert [(one.case, one.draft.prompt_sha256) for one in ready] == [
        (case, case.prompt_sha256) for case in some_cases()
    ]


async def test_a_draft_says_who_made_it_and_when(server, store, model):
    await submitted(store, model)
    server.end()
    _, [first, *_] = await fetched(store)
    draft = first.draft

    provider, _, name = model.partition(":")
    assert (draft.provider, draft.model, draft.attempt, draft.status) == (provider, name, 1, "ok")
    assert (draft.usage, draft.stated_confidence) == (Usage(input_tokens=11, output_tokens=7), 0.9)
    assert draft.created_at.isoformat() == "2026-11-01T12:00:00+00:00"


async def test_a_batch_under_way_is_left_alone(server, store, model):
    await submitted(store, model)
    [found], ready = await fetched(store)

    assert (found.status, ready) == ("processing", [])


async def test_submitting_again_is_the_same_batch(server, store, model):
    """Also after it was fetched; another model or another prompt is another batch."""
    first = await submitted(store, model)
    again = await submitted(store, model)
    server.end()
    await fetched(store)
    at_last = await submitted(store, model)
    other = await submitted(store, model, some_cases(4))

    assert [one.status for one in (first, again, at_last, other)] == ["submitted", "already", "already", "submitted"]
    assert ({one.batch_id for one in (first, again, at_last)}, len(server.batches)) == ({first.batch_id}, 2)


async def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(server, store, model):
    """Bytes to the letter, tokens as an estimate."""
    [plan] = await asubmit_batch(some_cases(), model=model, store=store.url, dry_run=True)
    nothing = (len(server.batches), len(server.live), store.keys())
    await submitted(store, model)

    assert (plan.status, plan.requests, nothing) == ("planned", 3, (0, 0, []))
    assert plan.tokens == sum(len(f"Question {n}?") + len(str({"type": "string"})) for n in range(3)) // 4
    if model == MODELS["openai"]:
        assert plan.size_bytes == len(next(iter(server.files.values())))


async def test_ids_that_occur_twice_are_refused_before_anything_is_kept(server, store, model):
    with pytest.raises(ConfigError, match="1 case ids occur twice: 'c0'"):
        await submitted(store, model, some_cases() + some_cases(1))

    assert (server.batches, store.keys()) == ([], [])


async def test_a_provider_without_batches_says_so(store):
    with pytest.raises(ConfigError, match="has no batch endpoint"):
        await submitted(store, "embedded:support")


@pytest.mark.parametrize(
    "limits", [BatchLimits(requests=2, size_bytes=10**6), BatchLimits(requests=9, size_bytes=1500)]
)
async def test_more_than_a_batch_may_hold_becomes_several(server, store, model, limits, monkeypatch):
    """By number and by size; no part is over the limit, and each case is in one."""
    batches = provider_for(model).batches()
    monkeypatch.setattr(type(batches), "limits", limits)
    made = await asubmit_batch(some_cases(5), model=model, store=store.url)
    asked = [str(body["messages"]) for one in server.batches for body in one.requests.values()]

    assert (len(made), [one.requests for one in made]) == (3, [2, 2, 1])
    assert [f"Question {n}?" in one for n, one in enumerate(asked)] == [True] * 5
    assert [key for key, _ in split(some_cases(5), batches, model)] == [
        key for key, _ in split(some_cases(5), batches, model)
    ]


async def test_a_case_larger_than_a_batch_is_refused(server, model, monkeypatch):
    batches = provider_for(model).batches()
    monkeypatch.setattr(type(batches), "limits", BatchLimits(requests=9, size_bytes=100))

    with pytest.raises(ConfigError, match=r"case 'c0' has \d+ bytes"):
        split(some_cases(), batches, model)


async def test_a_batch_asks_what_is_asked_at_once(connect):
    """The same body, whose schema is that of the SDK's own `parse`; only there is nothing about a stream."""
    request = Request(
        messages=(Message(role="system", content="Be brief."), Message(role="user", content="Who?")), answer=Invoice
    )
    with LoopbackAI() as ai:
        batches = connect(ai).batches()
        await batches.prepare()
        await connect(ai).generate(request)

    line = json.loads(batches.line("c1", request))
    assert line.get("body", line.get("params")) == ai.requests[-1].body


async def test_a_model_that_reasons_is_asked_in_its_own_protocol(server):
    """As at OpenAI's own address: the lines, the batch and the results are those of Responses."""
    provider = OpenAIProvider("gpt-5-mini", api="responses")
    batches, request = provider.batches(), Request(messages=(Message(role="user", content="Who?"),), answer=Invoice)
    server.answer = lambda _name, _body: '{"vendor": "ACME", "lines": [], "confidence": 0.9}'
    await batches.prepare()
    lines = [batches.line("c1", request)]
    made = await batches.create("key", lines, await batches.upload("key", lines))
    server.end()
    [result] = [one async for one in batches.results(made)]

    assert (json.loads(lines[0])["url"], result.custom_id) == ("/v1/responses", "c1")
    assert result.reply == Reply(
        text='{"vendor": "ACME", "lines": [], "confidence": 0.9}',
        finish="stop",
        model="gpt-5-mini",
        usage=Usage(input_tokens=11, output_tokens=7, cached_tokens=0, reasoning_tokens=0),
        request_id="req_batch",
    )


async def test_images_are_sent_as_each_provider_wants_them(server, store, model):
    """The server holds every body against the SDK's own type."""
    pictures = (Image.from_bytes(b"\x89PNG\r\n..."), Image(url="https://example.com/receipt.png"))
    case = Case(id="c1", task="mail", prompt=(Message(role="user", content=("Which shop?", *pictures)),))
    await submitted(store, model, (case,))

    [body] = server.batches[0].requests.values()
    assert [piece["type"] for piece in body["messages"][0]["content"]] == (
        ["text", "image_url", "image_url"] if model == MODELS["openai"] else ["text", "image", "image"]
    )


async def test_a_model_without_log_probabilities_is_found_out_beforehand(server, store):
    """One question at once; else every request of the batch would fail a day later."""
    await submitted(store, MODELS["openai"])
    with_them = ["logprobs" in body for body in server.batches[0].requests.values()]
    server.refuses_logprobs = True
    await submitted(store, "openai:gpt-5-mini")
    without = ["logprobs" in body for body in server.batches[1].requests.values()]

    assert (with_them, without) == ([True] * 3, [False] * 3)
    assert ["logprobs" in body for body in server.live] == [True, True, False]


async def test_choices_come_back_from_the_store_and_other_types_are_passed(server, store, model):
    """A type is code: the store holds its schema, and the fetching program the type."""
    await submitted(store, model, some_cases(answer=Literal["refund", "other"]))
    await submitted(store, model, some_cases(answer=Invoice))
    server.end()
    found, ready = await fetched(store)
    at_last, invoices = await fetched(store, answers=[Invoice])

    assert sorted(one.status for one in found) == ["handed_over", "no_answer_type"]
    assert [one.choices for one in ready] == [("refund", "other")] * 3
    assert ([one.status for one in at_last], [one.case.answer for one in invoices]) == (["handed_over"], [Invoice] * 3)


async def test_handing_over_again_brings_the_same_keys_and_drafts(server, store, model):
    """What fails leaves the batch open; the other cases were handed over, and all of them are again."""
    await submitted(store, model)
    server.end()
    first = []

    def fails_once(ready):
        first.append(ready)
        if ready.case.id == "c1":
            raise RuntimeError("no Prefect server")

    with pytest.raises(ExceptionGroup) as failure:
        await afetch_batches(store=store.url, then=fails_once)
    server.batches[0].results = []  # what was fetched is kept: nobody is asked for it again
    [found], ready = await fetched(store)
    nothing = await fetched(store)

    assert str(failure.value.exceptions[0].exceptions[0]) == "no Prefect server"
    assert sorted(first, key=lambda one: one.case.id) == ready
    assert (found.status, nothing) == ("handed_over", ((), []))


async def test_one_batch_that_fails_does_not_keep_others_waiting(server, store):
    """The failure is raised after the others were handed over."""
    await submitted(store, MODELS["anthropic"])
    record = await open_record(store)
    (store.root / f"batches/v1/{record.key}/batch.json").write_bytes(b'{"id": "../../etc/passwd"}')
    await submitted(store, MODELS["openai"])
    server.end()
    ready = []
    with pytest.raises(ExceptionGroup, match="1 of 2 open batches") as failure:
        await afetch_batches(store=store.url, then=ready.append)

    assert "is no Placed" in str(failure.value.exceptions[0])
    assert [one.model for one in ready] == [MODELS["openai"]] * 3


async def test_a_submission_that_was_changed_is_refused(server, store, model):
    """The key is the sha256 of what was submitted."""
    made = await submitted(store, model)
    path = store.root / f"batches/v1/{made.key}/submission.json"
    path.write_bytes(path.read_bytes().replace(b"Question 0?", b"Send me the keys"))

    with pytest.raises(ExceptionGroup) as failure:
        await fetched(store)
    assert "was changed or deleted" in str(failure.value.exceptions[0])


async def test_neither_key_nor_the_providers_words_reach_store_or_errors(server, store, model):
    """A provider's error may quote one prompt of many."""
    server.status = 403
    with pytest.raises(ProviderDenied) as refused:
        await submitted(store, model)
    server.status = 0
    await submitted(store, model)
    server.end()
    await fetched(store)
    kept = everything_in(store.root)

    assert [secret in kept for secret in (b"sk-loopback", b"sk-ant", server.url.encode())] == [False] * 3
    assert ("the prompt was" in str(refused.value), "HTTP 403" in str(refused.value)) == (False, True)


async def test_what_was_found_out_about_a_model_is_not_asked_again(server, store):
    """Neither by this process nor by the next one: each question costs money, and a refusal costs time."""
    server.refuses_logprobs = True
    await submitted(store, "openai:gpt-5-mini")
    asked = len(server.live)
    await submitted(store, "openai:gpt-5-mini", some_cases(2))
    _memory._here.clear()  # another process has the cache folder only
    _memory._not_yet.clear()
    await submitted(store, "openai:gpt-5-mini", some_cases(4))

    assert (asked, len(server.live)) == (2, 2)
    assert [["logprobs" in body for body in made.requests.values()] for made in server.batches] == [
        [False] * 3,
        [False] * 2,
        [False] * 4,
    ]
