"""Several things side by side, none of which goes on once nobody waits for it."""

import asyncio
from contextlib import suppress

import pytest

from hitl_prefect.abreast import abreast


class Work:
    """Says what came of it."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def does(self, name: str, seconds: float = 0.0, *, closing: float = 0.01) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(closing)
            self.ended.append(f"{name} was stopped")
            raise
        self.ended.append(name)
        return name

    async def fails(self) -> str:
        raise ValueError("no")


async def test_all_of_it_is_done_abreast():
    work = Work()
    async with asyncio.timeout(5):
        came = await abreast([work.does("slow", 0.05), work.does("quick")])

    assert (came, work.ended) == (["slow", "quick"], ["quick", "slow"])


async def test_a_failure_is_raised_as_it_is_once_the_others_have_ended():
    work = Work()
    with pytest.raises(ValueError, match="no"):
        await abreast([work.does("slow", 600), work.fails()])

    assert work.ended == ["slow was stopped"]


async def test_who_is_cancelled_leaves_nothing_behind_and_lets_each_close_what_it_holds():
    work = Work()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await abreast([work.does("one", 600), work.does("two", 600, closing=0.1)])

    assert work.ended == ["one was stopped", "two was stopped"]


async def test_one_whose_own_time_is_up_is_stopped_too():
    """It is being cancelled then, but goes on once it has noticed."""
    work = Work()

    async def goes_on() -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await work.does("first question", 600, closing=0.2)
        return await work.does("second question", 600)

    async def fails_meanwhile() -> str:
        await asyncio.sleep(0.1)
        return await work.fails()

    with pytest.raises(ValueError, match="no"):
        async with asyncio.timeout(5):
            await abreast([goes_on(), fails_meanwhile()])

    assert "second question" not in work.ended


async def test_nothing_to_do_is_done():
    assert await abreast([]) == []
