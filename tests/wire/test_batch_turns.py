"""Who may make a batch: the rule in `batching.py`, with clocks that are ahead and batches of other people."""

import asyncio
import socket
from datetime import timedelta

import pytest

from hitl_prefect import afetch_batches, asubmit_batch
from hitl_prefect.batch_records import Turn
from hitl_prefect.errors import ProviderDenied, ProviderUnavailable, RateLimited
from hitl_prefect.providers import _batch_wire
from tests.wire import batching
from tests.wire.batching import MODELS, later, open_record, place_all, some_cases

server, store, model = batching.server, batching.store, batching.model


async def left_by_the_dead(server, store, model):
    """The record of a process that took a turn and died before the provider took a batch."""
    server.status = 500
    with pytest.raises(ProviderUnavailable):
        await place_all(store, model, some_cases())
    server.status = 0
    return await open_record(store)


async def test_a_turn_keeps_others_out_for_fifteen_minutes(server, store, model):
    """Nobody knows whether its call is still on the way; then one process takes the next turn."""
    record = await left_by_the_dead(server, store, model)
    [early] = await place_all(store, model, some_cases(), minutes=14)
    before = len(server.batches)
    [late] = await place_all(store, model, some_cases(), minutes=16)

    assert (early.status, before, late.status, len(server.batches)) == ("in_doubt", 0, "submitted", 1)
    assert [(turn.number, over) for turn, over in await record.turns()] == [(1, False), (2, False)]


async def test_fetching_goes_on_with_a_submission_whose_process_died(server, store, model):
    """What was begun and came to nothing is submitted anew, by whoever fetches; early it is only told."""
    await left_by_the_dead(server, store, model)
    [found] = await afetch_batches(store=store.url, then=lambda _ready: None)

    assert (found.status, "it has 15 minutes" in found.detail, len(server.batches)) == ("in_doubt", True, 0)


@pytest.mark.parametrize(("status", "error"), [(403, ProviderDenied), (429, RateLimited)])
async def test_a_refusal_is_certain_and_the_next_may_submit_at_once(server, store, model, status, error):
    """Whoever fetches does not submit what was refused: somebody has been told, and may have thought better of it."""
    server.make(model.partition(":")[0], {f"theirs-{n}": {} for n in range(3)})
    server.status = status
    with pytest.raises(error):
        await asubmit_batch(some_cases(), model=model, store=store.url)
    server.status = 0
    [left] = await afetch_batches(store=store.url, then=lambda _ready: None)
    [made] = await asubmit_batch(some_cases(), model=model, store=store.url)

    assert (left.status, made.status, len(server.batches)) == ("not_submitted", "submitted", 2)


async def test_a_submission_that_never_began_is_only_told(server, store, model):
    await left_by_the_dead(server, store, model)
    record = await open_record(store)
    (store.root / f"batches/v1/{record.key}/turns/0001.json").unlink()
    [found] = await afetch_batches(store=store.url, then=lambda _ready: None)

    assert (found.status, server.batches) == ("not_submitted", [])


async def test_a_batch_that_was_taken_is_found_by_its_key(server, store):
    """OpenAI shows our key at once, also on a later page of the listing, among batches of other people."""
    record = await left_by_the_dead(server, store, MODELS["openai"])
    ours = server.make("openai", {f"h{record.key[:24]}-0": {}}, metadata={"hitl_key": record.key})
    for other in ({}, {"hitl_key": "0" * 64}, {"team": "b"}):
        server.make("openai", {"x": {}}, metadata=other)
    [found] = await place_all(store, MODELS["openai"], some_cases())

    assert (found.status, found.batch_id, len(server.batches)) == ("found", ours.id, 4)


async def test_of_two_batches_with_our_key_one_is_cancelled(server, store):
    """The older one counts."""
    record = await left_by_the_dead(server, store, MODELS["openai"])
    older, newer = (server.make("openai", {"x": {}}, metadata={"hitl_key": record.key}) for _ in range(2))
    [found] = await place_all(store, MODELS["openai"], some_cases())

    assert (found.batch_id, older.status, newer.status) == (older.id, "in_progress", "cancelling")


async def test_a_batch_of_the_same_size_is_waited_for_until_it_shows_whose_it_is(server, store):
    """Anthropic's batches carry no key: one under way may be ours. It is not, so we submit; nobody else's is taken."""
    anthropic = MODELS["anthropic"]
    await left_by_the_dead(server, store, anthropic)
    server.make("anthropic", {"theirs-1": {"model": "m"}})
    theirs = server.make("anthropic", {f"theirs-{n}": {"model": "m"} for n in range(3)})
    [waits] = await place_all(store, anthropic, some_cases(), minutes=60)
    server.end()
    [made] = await place_all(store, anthropic, some_cases(), minutes=120)

    assert (waits.status, theirs.id in waits.detail) == ("in_doubt", True)
    assert (made.status, made.batch_id, len(server.batches)) == ("submitted", "msgbatch_0003", 3)


async def test_a_batch_that_another_record_claims_is_not_waited_for(server, store):
    """Two submissions of the same size, in one store."""
    anthropic = MODELS["anthropic"]
    [other] = await asubmit_batch(some_cases(answer=bool), model=anthropic, store=store.url)
    server.status = 500
    with pytest.raises(ProviderUnavailable):
        await place_all(store, anthropic, some_cases())
    server.status = 0

    async def claimed():
        return frozenset({other.batch_id})

    [made] = await place_all(store, anthropic, some_cases(), minutes=16, claimed=claimed)

    assert (made.status, len(server.batches)) == ("submitted", 2)


async def test_a_batch_of_ours_is_known_by_its_results_when_it_has_ended(server, store):
    anthropic = MODELS["anthropic"]
    record = await left_by_the_dead(server, store, anthropic)
    ours = server.make("anthropic", {f"h{record.key[:24]}-{n}": {"model": "m"} for n in range(3)})
    server.end()
    [found] = await place_all(store, anthropic, some_cases(), minutes=60)

    assert (found.status, found.batch_id, len(server.batches)) == ("found", ours.id, 1)


async def test_whoever_comes_too_late_with_a_batch_cancels_it(server, store, model):
    """Another process noted its own in the meantime (clocks that disagree): the first noted counts."""

    async def other_notes_first():
        await asyncio.to_thread(server.taken.wait, 20)
        record = await open_record(store)
        assert await record.place("batch_of_another")
        server.hold.set()

    server.hold.clear()
    [made], _ = await asyncio.gather(place_all(store, model, some_cases()), other_notes_first())

    assert (made.status, made.batch_id) == ("already", "batch_of_another")
    assert server.batches[0].status in ("cancelling", "canceling")


async def test_whoever_gets_its_turn_too_late_does_not_use_it(server, store, model):
    """A store that took three minutes: the call would run into the next one's turn."""
    clock = iter([later(0)(), later(3)()])
    [made] = await place_all(store, model, some_cases(), now=lambda: next(clock))
    record = await open_record(store)

    assert (made.status, server.batches) == ("not_submitted", [])
    assert [over for _, over in await record.turns()] == [True]


async def test_of_many_that_take_the_same_turn_one_has_it(store, server, model):
    """The store's create-if-absent decides."""
    record = await left_by_the_dead(server, store, model)
    turns = [Turn(number=2, owner=f"{n}", at=later(0)()) for n in range(8)]
    taken = await asyncio.gather(*(record.take(turn) for turn in turns))

    assert sum(taken) == 1


async def test_a_batch_made_long_before_our_turn_is_not_waited_for(server, store):
    """Ten minutes are allowed for clocks that disagree; what is older is somebody else's, whatever its size."""
    anthropic = MODELS["anthropic"]
    await left_by_the_dead(server, store, anthropic)
    theirs = server.make("anthropic", {f"theirs-{n}": {"model": "m"} for n in range(3)})
    theirs.created_at -= timedelta(minutes=11)
    [made] = await place_all(store, anthropic, some_cases(), minutes=16)

    assert (made.status, made.batch_id, theirs.status) == ("submitted", "msgbatch_0002", "in_progress")


@pytest.mark.parametrize("readable", [True, False])
async def test_a_batch_is_known_by_the_first_line_that_can_be_read(server, store, readable):
    """A garbled line tells nothing; a batch of garbled lines is not taken for ours."""
    anthropic = MODELS["anthropic"]
    record = await left_by_the_dead(server, store, anthropic)
    other = server.make("anthropic", {f"h{record.key[:24]}-{n}": {"model": "m"} for n in range(3)})
    server.end()
    other.results = [b"{half a li", b"[]", *(other.results if readable else [])]
    [found] = await place_all(store, anthropic, some_cases(), minutes=60)

    expected = ("found", other.id, 1) if readable else ("submitted", "msgbatch_0002", 2)
    assert (found.status, found.batch_id, len(server.batches)) == expected


async def test_a_provider_that_takes_too_long_may_have_taken_the_batch(server, store, model, monkeypatch):
    """Nobody knows: the next one waits for its turn, and looks before it submits."""
    monkeypatch.setattr(_batch_wire, "CALL_S", 0.5)
    server.hold.clear()
    with pytest.raises(ProviderUnavailable):
        await place_all(store, model, some_cases())
    server.hold.set()
    record = await open_record(store)
    [again] = await place_all(store, model, some_cases(), minutes=60)

    assert [over for _, over in await record.turns()] == [False]
    assert (again.status, len(server.batches)) == ("found" if model == MODELS["openai"] else "in_doubt", 1)


@pytest.mark.parametrize("given", ["../v1/files", ""])
async def test_an_id_that_no_provider_would_give_is_never_used(server, store, model, given):
    """It would become part of an address. The batch is there all the same, so nobody submits it at once again."""

    async def the_id_is_garbled():
        await asyncio.to_thread(server.taken.wait, 20)
        server.batches[0].id = given
        server.hold.set()

    server.hold.clear()
    with pytest.raises(ProviderUnavailable):
        await asyncio.gather(place_all(store, model, some_cases()), the_id_is_garbled())
    record = await open_record(store)

    assert (await record.placed(), len(server.batches)) == (None, 1)
    assert [over for _, over in await record.turns()] == [False]


async def test_a_connection_that_breaks_leaves_it_open_whether_the_batch_was_taken(server, store, model, monkeypatch):
    """The address answers nobody: what is tried again later is the same batch."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("OPENAI_BASE_URL", f"{address}/v1")
        elsewhere.setenv("ANTHROPIC_BASE_URL", address)
        with pytest.raises(ProviderUnavailable):
            await place_all(store, model, some_cases())
    [made] = await place_all(store, model, some_cases(), minutes=16)

    assert (made.status, len(server.batches)) == ("submitted", 1)
