"""What is made of the results of a batch, whatever they hold."""

import json
from datetime import UTC, datetime

import pytest

from hitl_prefect.models import Usage
from tests.wire import batch_server, batching
from tests.wire.batch_bodies import anthropic_line, anthropic_problem, openai_error_line, openai_line
from tests.wire.batching import MODELS, fetched, some_cases, submitted
from tests.wire.loopback import Said

server, store, model = batching.server, batching.store, batching.model


async def test_requests_that_failed_or_never_ran_are_to_be_asked_at_once(server, store, model):
    """Errored, expired and missing: handed over without a draft, with the reason; nothing is lost."""
    await submitted(store, model, some_cases(4))
    server.end(only=lambda name: name.endswith("-0"))
    [made] = server.batches
    names = list(made.requests)
    if made.provider == "openai":
        expired = {"response": None, "error": {"code": "batch_expired", "message": "quotes"}}
        problems = (openai_error_line(400, "invalid_value"), expired)
        made.errors = [
            json.dumps({"custom_id": n, **one}).encode() for n, one in zip(names[1:3], problems, strict=True)
        ]
        reasons = ["HTTP 400 invalid_value", "no response batch_expired", "no result in a batch that is completed"]
    else:
        problems = (anthropic_problem("errored"), anthropic_problem("expired"))
        made.results += [
            json.dumps({"custom_id": n, **one}).encode() for n, one in zip(names[1:3], problems, strict=True)
        ]
        reasons = ["errored invalid_request_error", "expired", "no result in a batch that is ended"]
    [found], ready = await fetched(store)

    assert [one.problem for one in ready] == ["", *reasons]
    assert [one.draft is None for one in ready] == [False, True, True, True]
    assert (found.status, found.requests, found.drafts) == ("handed_over", 4, 1)


@pytest.mark.parametrize("status", ["expired", "cancelled", "failed"])
async def test_a_batch_that_ended_badly_gives_back_its_cases(server, store, status):
    """What was answered is kept; the others are to be asked at once."""
    await submitted(store, MODELS["openai"])
    server.end(status, only=lambda name: status != "failed" and name.endswith("-0"))
    [found], ready = await fetched(store)

    assert (found.status, found.drafts) == ("handed_over", 0 if status == "failed" else 1)
    assert ready[-1].problem == f"no result in a batch that is {status}"


async def test_results_that_the_provider_has_deleted_are_asked_for_at_once(server, store, model):
    """After a month nothing is left of a batch but that it ended."""
    await submitted(store, model)
    server.end()
    server.deleted = True
    [found], ready = await fetched(store)

    assert (found.status, [one.draft for one in ready]) == ("handed_over", [None] * 3)


async def test_canceled_requests_of_anthropic_are_to_be_asked_at_once(server, store):
    server.answer = lambda _name, _body: anthropic_problem("canceled")
    await submitted(store, MODELS["anthropic"])
    server.end()
    _, ready = await fetched(store)

    assert [(one.draft, one.problem) for one in ready] == [(None, "canceled")] * 3


STRANGE = [
    b"{half a li",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b'{"custom_id": 7}',
    b'{"custom_id": "somebody-elses", "response": null, "result": {"type": "expired"}}',
    b"[" * 5000,
]


async def test_lines_that_cannot_be_matched_harm_no_other_line(server, store, model):
    """Garbled, foreign, out of range, and a second result for a case: counted, and the first counts."""
    made = await submitted(store, model)
    server.end()
    results, prefix = server.batches[0].results, f"h{made.key[:24]}-"
    again = results[0].replace(b"0.9", b"0.1")
    foreign = [results[0].replace(f"{prefix}2".encode(), f"{prefix}{bad}".encode()) for bad in ("3", "02", "-1", "x")]
    server.batches[0].results = [*STRANGE, *foreign, *results, again]
    [found], ready = await fetched(store)

    assert found.detail == f"{len(STRANGE) + len(foreign) + 1} lines of its results could not be matched"
    assert [one.draft.stated_confidence for one in ready] == [0.9] * 3


@pytest.mark.parametrize("content", [None, 7, [], [7], {}, [{"message": 7}], [{"message": {"content": 7}}]])
async def test_a_reply_of_a_wrong_shape_is_asked_again(server, store, model, content):
    """What a provider should never send costs one live question, and no other case."""
    if model == MODELS["openai"]:
        wrong = {"response": {"status_code": 200, "request_id": 7, "body": {"choices": content}}}
    else:
        wrong = {"result": {"type": "succeeded", "message": {"content": content, "usage": 7}}}
    server.answer = lambda name, _body: wrong if name.endswith("-1") else '{"answer": "ok", "confidence": 0.9}'
    await submitted(store, model)
    server.end()
    [found], ready = await fetched(store)

    assert [one.draft is None or one.draft.status != "ok" for one in ready] == [False, True, False]
    assert found.status == "handed_over"


async def test_a_line_ends_with_a_line_feed_and_nothing_else(server, store, model):
    """Unicode has other line ends, and models write them."""
    text = json.dumps({"answer": "one\u2028two\u0085three", "confidence": 0.9}, ensure_ascii=False)
    server.answer = lambda _name, _body: text
    await submitted(store, model)
    server.end()
    _, ready = await fetched(store)

    assert {one.draft.answer for one in ready} == {"one\u2028two\u0085three"}


async def test_a_draft_that_is_refused_cut_off_or_invalid_is_a_draft(server, store, model):
    """It goes to a person, as it would from a live call."""
    says = [Said("No.", finish="refusal"), Said('{"ans', finish="length"), Said("Sure!")]
    server.answer = lambda name, _body: says[int(name[-1])]
    await submitted(store, model)
    server.end()
    _, ready = await fetched(store)

    assert [one.draft.status for one in ready] == ["refused", "truncated", "invalid"]


async def test_results_that_end_early_are_fetched_again(server, store, model):
    """Kept as they are they would be final, and what is missing would be asked again at the full price."""
    await submitted(store, model)
    server.end()
    [made] = server.batches
    lost, made.results = made.results[1:], made.results[:1]
    with pytest.raises(ExceptionGroup) as early:
        await fetched(store)
    made.results += lost
    [found], ready = await fetched(store)

    assert "1 of 3 results came" in str(early.value.exceptions[0])
    assert (found.drafts, len(ready)) == (3, 3)


async def test_one_odd_line_holds_up_no_other(server, store, model):
    """Counts and bytes that cannot be are left out."""
    odd = {"prompt_tokens": -2, "completion_tokens": -2, "input_tokens": -2, "output_tokens": -2}

    def answer(name, body):
        line = (anthropic_line if model.startswith("anthropic") else openai_line)(Said('{"answer": "ok"}'), body)
        reply = line.get("result", {}).get("message") or line["response"]["body"]
        reply["usage"] = odd
        return line

    server.answer = answer
    await submitted(store, model)
    server.end()
    [found], ready = await fetched(store)

    assert (found.drafts, {one.draft.usage for one in ready}) == (3, {Usage()})


@pytest.mark.parametrize(
    ("model", "odd"),
    [
        ("openai", {"completed_at": 10**18, "request_counts": {"completed": "three"}}),
        ("openai", {"completed_at": "soon", "request_counts": None}),
        ("anthropic", {"ended_at": "soon", "request_counts": {"succeeded": "three"}}),
        ("anthropic", {"ended_at": "2026-11-01T12:00:00", "request_counts": None}),
    ],
)
async def test_a_time_or_count_that_cannot_be_read_costs_no_draft(server, store, model, odd, monkeypatch):
    """Then a draft is as old as its fetching, and how many results there should be is not known."""
    shown = getattr(batch_server, f"{model}_batch")
    await submitted(store, MODELS[model])
    server.end()
    monkeypatch.setattr(batch_server, f"{model}_batch", lambda *made: shown(*made) | odd)
    began = datetime.now(UTC)
    [found], ready = await fetched(store)

    assert (found.status, found.drafts) == ("handed_over", 3)
    assert [began <= one.draft.created_at <= datetime.now(UTC) for one in ready] == [True] * 3
