"""What opening reviews costs, and what is left where whoever opens them dies in the middle."""

import asyncio
import re
import time
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

from hitl_prefect.detached import aopen_reviews, arepair_reviews, repairing
from hitl_prefect.detached.deployment import ensure_review_deployment
from hitl_prefect.detached.flow import review
from hitl_prefect.detached.lots import OPENING, note_lot
from hitl_prefect.detached.opening import Opening
from hitl_prefect.errors import HitlError
from tests.prefect.reviews_at_hand import a_review, opened
from tests.servers.machine import wait_until
from tests.servers.prefect import patch
from tests.servers.proxy import store_proxy

# Prefect opens a client for an async flow, asks it for the result storage, and never closes it.
pytestmark = [pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"), pytest.mark.usefixtures("collected")]

NOW = timedelta(0)
LOT = 2
"""Reviews that are opened together."""
OF_A_LOT = ["variable", "bulk", *(3 * LOT * ["row"]), "events", "forgotten"]
"""The requests that opening them takes."""
_KINDS = {
    r"POST .*/variables/": "variable",
    r"POST .*/bulk": "bulk",
    r"POST .*/input": "row",
    r"POST .*/events": "events",
    r"DELETE .*/variables/name/.*": "forgotten",
}


@contextmanager
def through(resident):
    """A proxy between this process and the server."""
    with (
        store_proxy(resident.server.api_url) as proxy,
        resident.connected(),
        temporary_settings({PREFECT_API_URL: f"{proxy.endpoint_url}/api"}),
    ):
        yield proxy


def kinds(requests):
    """What each request was about, those of the deployment and of the inbox's page left out."""
    lines = [f"{method} {path}" for method, path in requests]
    return [kind for line in lines for pattern, kind in _KINDS.items() if re.fullmatch(pattern, line)]


def noted(resident, *reviews):
    """The notes that hold one of these reviews."""
    wanted = {"variables": {"tags": {"all_": [OPENING]}}}
    found = resident.api.post("/variables/filter", json=wanted).raise_for_status().json()
    ends = {one.key.rpartition("-")[2] for one in reviews}
    return [one["value"] for one in found if ends & set(one["value"])]


def runs_of(resident, *reviews):
    """The flow runs that were created, by idempotency key."""
    wanted = {"flow_runs": {"idempotency_key": {"any_": [one.key for one in reviews]}}}
    found = resident.api.post("/flow_runs/filter", json=wanted).raise_for_status().json()
    return {run["idempotency_key"]: run for run in found}


def repaired(resident):
    """The flow runs that the repair saw to."""
    with resident.connected():
        return {str(run_id) for run_id in asyncio.run(arepair_reviews(NOW))}


def rows(resident, run):
    """What stands in the inputs of a flow run."""
    found = (
        resident.api.post(f"/flow_runs/{run['id']}/input/filter", json={"prefix": "", "limit": 50})
        .raise_for_status()
        .json()
    )
    return sorted(re.sub(r"hitl-[0-9a-f]{16}-", "", one["key"]) for one in found)


async def half_opened(resident, *reviews):
    """Only created, by somebody who died then."""
    with resident.connected():
        async with get_client() as client:
            deployment = await ensure_review_deployment(client)
            await note_lot(client, [one.key for one in reviews])
            bodies = [await Opening(one).body() for one in reviews]
    made = []

    def are_created():
        # Where SQLite was locked the server leaves out single ones.
        answer = resident.api.post(f"/deployments/{deployment}/create_flow_run/bulk", json=bodies).raise_for_status()
        made[:] = [one["flow_run_id"] for one in answer.json()["results"]]
        return all(made)

    wait_until(are_created, "the runs are created")
    return made


def test_a_review_takes_three_requests_and_a_lot_four_more(resident):
    """Whatever is done once per review is what opening many of them costs."""
    first, *reviews = (a_review(resident.store) for _ in range(1 + LOT))
    # Makes the deployment and the page.
    opened(resident, first)
    with through(resident) as proxy:
        asyncio.run(aopen_reviews(reviews))
        others = len(proxy.requests) - len(kinds(proxy.requests))

    assert kinds(proxy.requests) == OF_A_LOT
    assert others <= 8, proxy.requests
    assert noted(resident, *reviews) == []


def test_killed_between_any_two_requests_all_that_was_created_can_be_answered(resident):
    """After the repair; what was not even created is not there, and noted until it is given up."""
    lots = [[a_review(resident.store) for _ in range(LOT)] for _ in OF_A_LOT]
    opened(resident, a_review(resident.store))
    for before, lot in enumerate(lots):
        kill(resident, lot, before)
    half = [len(noted(resident, *lot)) for lot in lots]
    repaired(resident)
    found = [runs_of(resident, *lot) for lot in lots]

    assert half == [0, *[1] * (len(lots) - 1)]
    assert [len(one) for one in found] == [0, 0, *[LOT] * (len(lots) - 2)]
    whole = ["round-1-1", "suspended-1-1-description", "suspended-1-1-schema"]
    assert {tuple(rows(resident, run)) for one in found for run in one.values()} == {tuple(whole)}
    assert [len(noted(resident, *lot)) for lot in lots] == [0, 1, *[0] * (len(lots) - 2)]


def kill(resident, reviews, before):
    """Open them, cut off from the server after so many of the requests that this takes."""
    with through(resident) as proxy, suppress(HitlError, PrefectHTTPStatusError):
        proxy.break_down_after(before, "/variables/")
        asyncio.run(aopen_reviews(reviews))


def test_a_half_opened_review_is_told_once_repaired_and_settles_like_any_other(resident):
    """Its event too is made up for."""
    (run,) = asyncio.run(half_opened(resident, a_review(resident.store)))
    # Where SQLite was locked a review is left for the next pass.
    first = repaired(resident) or repaired(resident)
    again = repaired(resident)
    resident.adopt(review, run)
    resident.answer(run, decision="approve")
    resident.go_on(run)

    assert (run in first, run in again, len(resident.outcomes(run))) == (True, False, 1)


def test_who_answers_before_the_lot_is_whole_takes_no_other_along(resident):
    """The form can be answered some seconds before the others of its lot have theirs."""
    answered, other = a_review(resident.store), a_review(resident.store)
    first, second = asyncio.run(half_opened(resident, answered, other))
    opened(resident, answered)
    resident.answer(first, decision="approve")
    resident.go_on(first)
    before = resident.run(first)
    seen_to = repaired(resident)

    assert (first in seen_to, second in seen_to) == (False, True)
    assert resident.run(first) == before


def test_opened_again_elsewhere_a_lot_is_still_noted_by_whoever_is_at_it(resident):
    """Two processes open the same reviews: neither forgets what the other is at."""
    asked = a_review(resident.store)
    asyncio.run(half_opened(resident, asked))
    opened(resident, asked)

    assert noted(resident, asked) == [[asked.key.rpartition("-")[2]]]


def test_a_review_that_cannot_be_repaired_here_is_the_only_one_that_stays_noted(resident):
    """Such as where its answer type is not found."""
    good, bad = a_review(resident.store), a_review(resident.store)
    runs = asyncio.run(half_opened(resident, good, bad))
    spoil(resident, runs[1])
    seen_to = repaired(resident)

    assert [run in seen_to for run in runs] == [True, False]
    assert noted(resident, bad) == [[bad.key.rpartition("-")[2]]]


def spoil(resident, run):
    """Change the parameters of a flow run."""
    parameters = resident.run(run)["parameters"]
    patch(resident.api, f"/flow_runs/{run}", {"parameters": parameters | {"asked": "{}"}}).raise_for_status()


def test_a_review_that_was_never_created_is_given_up_at_last(resident, monkeypatch):
    """An hour later nobody creates it any more; to open it again does."""
    asked = a_review(resident.store)
    with resident.connected():
        asyncio.run(_note(asked.key))
    repaired(resident)
    early = noted(resident, asked)
    monkeypatch.setattr(repairing, "_GIVEN_UP", NOW)
    repaired(resident)

    assert (len(early), noted(resident, asked)) == (1, [])


async def _note(key):
    async with get_client() as client:
        await note_lot(client, [key])


def asked(resident, method, path, **body):
    """Again where SQLite was locked, as Prefect's client does."""
    for _ in range(30):
        response = resident.api.request(method, path, **body)
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(0.5)
    return response.raise_for_status()


def test_a_variable_that_somebody_else_tagged_is_left_alone(resident):
    """It is no note of ours, and holds up none."""
    made = {"name": "theirs", "value": "words", "tags": [OPENING]}
    asked(resident, "POST", "/variables/", json=made)
    (run,) = asyncio.run(half_opened(resident, a_review(resident.store)))
    seen_to = repaired(resident)
    left = asked(resident, "GET", "/variables/name/theirs").json()
    asked(resident, "DELETE", "/variables/name/theirs")

    assert (run in seen_to, left["value"]) == (True, "words")
