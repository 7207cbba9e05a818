"""Many calls at once as few: nothing is lost, and nobody waits for others to come."""

import asyncio

import pytest

from hitl_prefect.together import Together


async def test_who_comes_while_a_call_is_under_way_shares_the_next_one():
    """Each gets what its own call returned."""
    calls: list[list[int]] = []

    async def call(given):
        calls.append(list(given))
        await asyncio.sleep(0.01)
        return sum(given)

    together = Together(call)
    first = asyncio.create_task(together.give(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    came = await asyncio.gather(first, *(together.give(number) for number in (2, 3, 4)))

    assert (calls, came) == ([[1], [2, 3, 4]], [1, 9, 9, 9])


async def test_a_call_that_fails_fails_for_all_of_its_own_and_for_no_other():
    """The next one is made all the same."""

    async def call(given):
        if 1 in given:
            raise ValueError("no")

    together = Together(call)
    with pytest.raises(ValueError, match="no"):
        await together.give(1)

    assert await together.give(2) is None


async def test_one_that_is_cancelled_takes_no_other_along():
    """The call is made, and the others get what it returned."""

    async def call(given):
        await asyncio.sleep(0.01)
        return len(given)

    together = Together(call)
    gone, stays = (asyncio.create_task(together.give(number)) for number in (1, 2))
    await asyncio.sleep(0.005)
    gone.cancel()

    assert await stays == 2
    assert gone.cancelled() or gone.cancelling()


async def test_calls_can_be_kept_apart_and_who_comes_alone_does_not_wait():
    """The first is made at once; all that comes soon after it shares one."""
    calls: list[tuple[float, list[int]]] = []
    begun = asyncio.get_running_loop().time()

    async def call(given):
        calls.append((asyncio.get_running_loop().time() - begun, list(given)))

    together = Together(call, apart_s=0.2)
    await together.give(1)
    await asyncio.gather(together.give(2), _later(0.05, together, 3))

    assert [given for _, given in calls] == [[1], [2, 3]]
    assert calls[1][0] >= 0.2


async def _later(after_s, together, number):
    await asyncio.sleep(after_s)
    await together.give(number)
