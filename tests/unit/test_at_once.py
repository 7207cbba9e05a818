"""Several things at once, none of which goes on once nobody waits for it."""

import asyncio

import pytest

from hitl_prefect.many.at_once import at_once


class Work:
    """Says what came of it."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def does(self, name: str, seconds: float = 0.0) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # what is to be closed first
            self.ended.append(f"{name} was stopped")
            raise
        self.ended.append(name)

    async def fails(self) -> None:
        raise ValueError("no")


async def test_all_of_it_is_done_at_once():
    work = Work()
    async with asyncio.timeout(5):
        await at_once([work.does("slow", 0.05), work.does("quick")])

    assert work.ended == ["quick", "slow"]


async def test_a_failure_is_raised_as_it_is_once_the_others_have_ended():
    work = Work()
    with pytest.raises(ValueError, match="no"):
        await at_once([work.does("slow", 600), work.fails()])

    assert work.ended == ["slow was stopped"]


async def test_who_is_cancelled_leaves_nothing_behind():
    work = Work()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await at_once([work.does("one", 600), work.does("two", 600)])

    assert work.ended == ["one was stopped", "two was stopped"]
