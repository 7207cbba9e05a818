"""Many cases without Prefect."""

import asyncio

import pytest

from hitl_prefect.direct import draft_and_score_many
from hitl_prefect.errors import ProviderDenied
from hitl_prefect.models import Case
from hitl_prefect.providers.scripted import ScriptedProvider, Step

YES = '{"answer": "yes", "confidence": 0.6}'


def cases(count):
    return (Case(id=f"c{number}", task="demo", prompt=f"Is it {number}?") for number in range(count))


class Counting(ScriptedProvider):
    """Counts how many calls are under way at once."""

    now = most = 0

    async def generate(self, request, *, on_text=None):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await super().generate(request, on_text=on_text)
        finally:
            self.now -= 1


async def test_every_case_is_tried_once_and_no_more_are_under_way_than_asked_for():
    model = Counting([Step(text=YES, delay_s=0.02)])

    tried = [one async for one in draft_and_score_many(cases(20), model=model, in_flight=4)]

    assert sorted(one.case.id for one in tried) == sorted(case.id for case in cases(20))
    assert {one.drafted.score.confidence for one in tried} == {0.6}
    assert (model.calls, model.most) == (20, 4)


async def test_a_case_that_fails_is_told_and_stops_no_other():
    model = ScriptedProvider([Step(text=YES), Step(error="ProviderDenied"), Step(text=YES)])

    tried = [one async for one in draft_and_score_many(cases(3), model=model, in_flight=1)]

    assert [(one.case.id, one.drafted is None) for one in tried] == [("c0", False), ("c1", True), ("c2", False)]
    assert isinstance(tried[1].error, ProviderDenied)


async def test_cases_are_read_as_they_are_needed():
    """A file of a hundred thousand is never whole in memory: no more is read than is under way or waits to be taken."""
    read = []
    source = (read.append(case) or case for case in cases(1000))
    finding = draft_and_score_many(source, model=ScriptedProvider([YES]), in_flight=3)
    await anext(finding)
    await asyncio.sleep(0.05)

    assert len(read) <= 1 + 2 * 3 + 1
    await finding.aclose()


async def test_cases_that_cannot_be_read_are_an_error():
    """What goes wrong beside the cases themselves is not swallowed."""

    def broken():
        yield from cases(1)
        raise ValueError("line 2 is no case")

    with pytest.raises(ValueError, match="line 2"):
        _ = [one async for one in draft_and_score_many(broken(), model=ScriptedProvider([YES]), in_flight=2)]


async def test_whoever_stops_early_leaves_nothing_running():
    model = Counting([Step(text=YES), Step(text=YES, delay_s=60)])
    finding = draft_and_score_many(cases(9), model=model, in_flight=3)
    await anext(finding)
    await finding.aclose()

    assert (model.now, len(asyncio.all_tasks())) == (0, 1)
