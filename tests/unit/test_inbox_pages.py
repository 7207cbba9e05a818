"""Thousands of waiting runs are read page by page, and none is missed."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from hitl_prefect.inbox import most_urgent, read_waiting

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def cloud():
    """Prefect Cloud has one UI, which nobody is asked for."""
    settings = {PREFECT_API_URL: "https://api.prefect.cloud/api/x", PREFECT_UI_URL: "https://app.prefect.cloud/x"}
    with temporary_settings(settings):
        yield


class Server:
    """Answers `/flow_runs/filter` as Prefect does, of runs that started at these minutes after noon."""

    def __init__(self, *minutes):
        self.runs = [_run(number, NOON + timedelta(minutes=after)) for number, after in enumerate(minutes)]
        self.asked = 0

    async def request(self, _method, _path, *, json):
        self.asked += 1
        latest = json["flow_runs"].get("start_time", {}).get("before_", "9999")
        found = sorted((run for run in self.runs if run["start_time"] <= latest), key=_order, reverse=True)
        page = found[json["offset"] : json["offset"] + json["limit"]]
        self.after(self.asked)
        return httpx.Response(200, json=page)

    def after(self, asked):
        """What happens on the server between two requests."""


def _run(number, start):
    label = {"case": str(number), "task": "invoices", "reason": "below_bar", "confidence": "", "attempt": 1}
    label |= {"opened_at": start.isoformat(), "deadline_at": "", "people": json.dumps(["ada"])}
    labels = {f"hitl.{name}": value for name, value in label.items()}
    return {"id": str(UUID(int=number)), "name": "n", "labels": labels, "start_time": start.isoformat()}


def _order(run):
    return run["start_time"], run["id"]


def cases(server):
    """The cases that are listed."""
    return sorted(int(one.case) for one in asyncio.run(read_waiting(server)))


def test_5000_waiting_runs_cost_26_requests():
    """One for 200, less the one run with which the next page begins."""
    server = Server(*range(5000))

    assert (cases(server), server.asked) == (list(range(5000)), 26)


def test_the_most_urgent_of_thousands_are_those_that_the_whole_list_begins_with():
    """And as many are counted."""
    server = Server(*random.Random(1).sample(range(5000), 1000))

    assert asyncio.run(most_urgent(server, at_most=100)) == (asyncio.run(read_waiting(server))[:100], 1000)


def test_no_request_more_is_made_for_few_runs():
    """None to count them either."""
    server = Server(*range(199))

    assert (len(cases(server)), server.asked) == (199, 1)


def test_runs_that_started_in_the_same_moment_are_all_listed():
    """However many pages they fill."""
    server = Server(*[1] * 30, *[2] * 650, *[3] * 30)

    assert cases(server) == list(range(710))


def test_a_run_that_is_answered_meanwhile_hides_no_other():
    """By an offset, the first run of the second page would move onto the first page, which was read already."""
    server = Server(*range(450))

    def after(asked):
        if asked == 1:
            server.runs.pop()  # the latest, on the first page

    server.after = after

    assert cases(server) == list(range(450))


@pytest.mark.parametrize("moments", [9, 700])
def test_runs_that_leave_between_any_two_requests_hide_no_other(moments):
    """Wherever they stood, and however many began together."""
    chance = random.Random(moments)
    server = Server(*[chance.randrange(moments) for _ in range(900)])
    staying = [int(UUID(run["id"])) for run in chance.sample(server.runs, 600)]

    def after(_):
        leaving = [run for run in server.runs if int(UUID(run["id"])) not in staying]
        for run in chance.sample(leaving, min(30, len(leaving))):
            server.runs.remove(run)

    server.after = after

    assert set(staying) <= set(cases(server))


def test_a_run_that_has_asked_nobody_is_not_listed():
    """It waits for something else."""
    server = Server(1, 2)
    del server.runs[0]["labels"]["hitl.case"]

    assert cases(server) == [1]
