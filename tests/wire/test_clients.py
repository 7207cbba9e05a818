"""One client per event loop and endpoint: connections are kept open, and closed with their loop."""

import asyncio
import gc
import threading
import time

import pytest
from pydantic import SecretStr

from hitl_prefect.providers import _clients
from hitl_prefect.providers.openai import OpenAIProvider
from tests.wire.conftest import openai_at, request
from tests.wire.loopback import LoopbackAI, Said


def closed_by_the_client(ai):
    """Whether no connection is open, within five seconds."""
    until = time.monotonic() + 5
    while ai.still_open and time.monotonic() < until:
        time.sleep(0.01)
    return not ai.still_open


async def test_calls_of_one_loop_share_a_connection(connect):
    with LoopbackAI() as ai:
        for _ in range(5):
            await connect(ai).generate(request())

    assert (len(ai.requests), ai.connections) == (5, 1)


async def test_calls_side_by_side_have_a_connection_each_and_keep_it(connect):
    with LoopbackAI(Said('{"answer": "a"}', delay_s=0.1)) as ai:
        provider = connect(ai)
        for _ in range(3):
            await asyncio.gather(*(provider.generate(request()) for _ in range(16)))

    assert (len(ai.requests), ai.connections) == (48, 16)


def test_a_loop_closes_its_connections_when_it_ends(connect):
    others = [loop for loop in _clients._kept if _clients._kept[loop]]
    with LoopbackAI() as ai:
        provider = connect(ai)
        for _ in range(3):
            asyncio.run(provider.generate(request()))
            assert closed_by_the_client(ai)

    assert (len(ai.requests), ai.connections) == (3, 3)
    assert [loop for loop in _clients._kept if _clients._kept[loop]] == others


def test_loops_of_several_threads_have_a_client_each(connect):
    """As the tasks of a Prefect flow do, which run in threads."""
    with LoopbackAI(Said('{"answer": "a"}', delay_s=0.1)) as ai:
        provider = connect(ai)
        threads = [threading.Thread(target=lambda: asyncio.run(provider.generate(request()))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert closed_by_the_client(ai)

    assert (len(ai.requests), ai.connections) == (8, 8)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_ended_badly_lends_its_client_to_nobody(connect):
    """Who closes a loop by hand may forget to shut it down; asyncio itself warns of its connections."""
    with LoopbackAI() as ai:
        provider, loop = connect(ai), asyncio.new_event_loop()
        loop.run_until_complete(provider.generate(request()))
        loop.close()
        reply = asyncio.run(provider.generate(request()))
        gc.collect()

    assert (reply.text, ai.connections) == ('{"answer": "ok"}', 2)
    assert loop not in _clients._kept


async def test_each_key_has_its_own_client():
    with LoopbackAI() as ai:
        other = OpenAIProvider("gpt-5-mini", api_key=SecretStr("sk-other"), base_url=ai.openai_url)
        for provider in (openai_at(ai), other, openai_at(ai)):
            await provider.generate(request())

    assert [sent.headers["authorization"][-5:] for sent in ai.requests] == ["bcdef", "other", "bcdef"]
    assert ai.connections == 2


async def test_a_connection_that_broke_is_not_used_again(connect):
    with LoopbackAI([Said("{}", fault="cut_off"), '{"answer": "a"}']) as ai:
        provider = connect(ai)
        with pytest.raises(Exception, match="gave no reply"):
            await provider.generate(request())
        reply = await provider.generate(request())

    assert (reply.text, ai.connections) == ('{"answer": "a"}', 2)
