"""The engine of `hitl worker`, on a real server: the states that a run goes through, and what is told about it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import Flow, flow, get_run_logger
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause, PrefectHTTPStatusError
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run as current_run
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_RETRY_EXTRA_CODES,
    PREFECT_LOGGING_LEVEL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from prefect.states import AwaitingRetry, Cancelled, Scheduled, Suspended

from hitl_prefect.chasing import arevive_dead_runs
from hitl_prefect.errors import StoreDenied
from hitl_prefect.worker.admission import Admission
from hitl_prefect.worker.claims import Claim
from hitl_prefect.worker.light_engine import LightEngine
from hitl_prefect.worker.taking_over import TakingOver
from tests.servers.prefect import PrefectServer
from tests.servers.proxy import store_proxy
from tests.unit.making import a_review, a_route, a_verdict, an_outcome

ADA, BOB = Claim.mine("ada's"), Claim(worker="bob's", place="0", pid=1, began=1)
"""Two workers, of which the second is on another machine."""


@flow
async def stand_in(said: str) -> Any:
    """Does what a review does to its run."""
    get_run_logger().info("run %s says %s", current_run.id, said)
    if said == "wait again":
        async with get_client() as client:
            answer = await client.set_flow_run_state(UUID(current_run.id), Suspended(pause_key="again"))
        raise Pause(state=answer.state)
    if said == "no bucket":
        raise StoreDenied("bucket 'outcomes': no permission; ask its owner")
    if said == "a bug":
        raise ValueError("what the model wrote")
    if said == "a name":
        review = a_review(a_verdict(reviewer=f"\x1b[2J<!channel>\nCompleted {'x' * 10_000}"))
        return an_outcome(decision="approve", decided_by="human", route=a_route(action="review"), review=review)
    return None


@dataclass
class Bench:
    """Due runs of a flow, and a look at them."""

    client: PrefectClient
    pool: str

    async def deployment(self, made: Flow[Any, Any], limit: int | None = None) -> UUID:
        """A new deployment of a flow."""
        flow_id = await self.client.create_flow(made)
        name = f"light-{uuid4().hex[:8]}"
        return await self.client.create_deployment(
            flow_id=flow_id, name=name, work_pool_name=self.pool, concurrency_limit=limit
        )

    async def due(self, made: Flow[Any, Any], **parameters: Any) -> FlowRun:
        """A scheduled run of a deployment of its own."""
        return await self.due_of(await self.deployment(made), **parameters)

    async def due_of(self, deployment: UUID, **parameters: Any) -> FlowRun:
        """A scheduled run of a deployment."""
        run = await self.client.create_flow_run_from_deployment(deployment, parameters=parameters, tags=["hitl"])
        return await self.client.read_flow_run(run.id)

    async def states(self, run: FlowRun) -> list[tuple[str, str | None]]:
        """Name and message of each state that it was in."""
        found = await self.client.read_flow_run_states(run.id)
        return [(state.name or "", state.message) for state in sorted(found, key=lambda state: state.timestamp)]

    async def lines(self, run: FlowRun) -> list[str]:
        """What its page shows as its log."""
        await APILogHandler.aflush()
        wanted = {"logs": {"flow_run_id": {"any_": [str(run.id)]}}, "sort": "TIMESTAMP_ASC"}
        found: list[dict[str, Any]] = (await self.client.request("POST", "/logs/filter", json=wanted)).json()
        return [line["message"] for line in found]


@pytest.fixture
async def bench(prefect_server: PrefectServer) -> AsyncIterator[Bench]:
    settings = {
        PREFECT_API_URL: prefect_server.api_url,
        PREFECT_LOGGING_TO_API_ENABLED: True,
        PREFECT_LOGGING_LEVEL: "INFO",
    }
    with temporary_settings(settings):
        async with get_client() as client:
            pool = f"light-{uuid4().hex[:8]}"
            await client.request("POST", "/work_pools/", json={"name": pool, "type": "hitl"})
            yield Bench(client, pool)
        await APILogHandler.aflush()


async def test_a_run_goes_through_true_states_and_its_log_is_on_its_page(bench: Bench):
    run = await bench.due(stand_in, said="hello")

    await LightEngine(stand_in, bench.client, ADA).run(run)

    by_ada = ADA.written
    assert (await bench.states(run))[1:] == [("Running", by_ada), ("Completed", "done")]
    assert await bench.lines(run) == [f"run {run.id} says hello", "done"]


async def test_a_run_that_waits_again_is_left_waiting(bench: Bench):
    run = await bench.due(stand_in, said="wait again")

    left = await LightEngine(stand_in, bench.client, ADA).run(run)

    now = (await bench.client.read_flow_run(run.id)).state
    assert left is not None
    assert now is not None
    assert (now.id, now.name) == (left.id, "Suspended")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no bucket", "StoreDenied: bucket 'outcomes': no permission; ask its owner"),
        ("a bug", "ValueError at test_light_engine.py:N"),
    ],
)
async def test_a_failed_run_says_why_and_never_what_a_model_wrote(bench: Bench, said: str, told: str):
    run = await bench.due(stand_in, said=said)

    await LightEngine(stand_in, bench.client, ADA).run(run)

    name, message = (await bench.states(run))[-1]
    assert (name, re.sub(r":\d+$", ":N", message or "")) == ("Failed", told)
    assert (await bench.lines(run))[-1] == message


async def test_a_name_that_somebody_typed_is_told_as_a_short_name(bench: Bench):
    """No terminal obeys it, and no line of the log is its own."""
    run = await bench.due(stand_in, said="a name")

    await LightEngine(stand_in, bench.client, ADA).run(run)

    _, message = (await bench.states(run))[-1]
    told = f"approve by \\x1b[2J\u2039!channel\u203a Completed xxxxx ... {'x' * 30}"
    assert (message, (await bench.lines(run))[-1]) == (told, told)


async def test_of_two_workers_one_runs_a_run_and_the_other_leaves_it(bench: Bench):
    run = await bench.due(stand_in, said="hello")
    engines = [LightEngine(stand_in, bench.client, claim) for claim in (ADA, BOB)]

    ended = await asyncio.gather(*(engine.run(run.model_copy(deep=True)) for engine in engines))

    assert [state.name for state in ended if state] == ["Completed"]
    assert len(await bench.states(run)) == 3


async def test_a_completed_run_is_not_run_again_by_a_worker_that_listed_it_before(bench: Bench):
    run = await bench.due(stand_in, said="hello")
    await LightEngine(stand_in, bench.client, ADA).run(run.model_copy(deep=True))

    again = await LightEngine(stand_in, bench.client, BOB).run(run)

    assert again is None
    assert (await bench.states(run))[-1] == ("Completed", "done")


@pytest.mark.parametrize("said", ["wait again", "no bucket"])
async def test_a_run_that_waits_or_failed_is_left_so_by_a_worker_that_listed_it_before(bench: Bench, said: str):
    """Prefect's rules would take Running for both."""
    run = await bench.due(stand_in, said=said)
    await LightEngine(stand_in, bench.client, ADA).run(run.model_copy(deep=True))
    before = await bench.states(run)

    again = await LightEngine(stand_in, bench.client, BOB).run(run)

    assert again is None
    assert await bench.states(run) == before


async def test_a_run_that_was_cancelled_after_it_was_listed_stays_cancelled(bench: Bench):
    run = await bench.due(stand_in, said="hello")
    await bench.client.set_flow_run_state(run.id, Cancelled(), force=True)

    ended = await LightEngine(stand_in, bench.client, ADA).run(run)

    assert ended is None
    assert [name for name, _ in await bench.states(run)] == ["Scheduled", "Cancelled"]


async def test_a_run_that_was_deleted_after_it_was_listed_is_nobodys(bench: Bench):
    run = await bench.due(stand_in, said="hello")
    await bench.client.delete_flow_run(run.id)

    assert await LightEngine(stand_in, bench.client, ADA).run(run) is None


async def test_a_claim_whose_answer_was_lost_is_ours_all_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Prefect's client sends a request again that brought no answer; the server has taken it."""
    run, once = await bench.due(stand_in, said="hello"), bench.client.request

    async def twice(method: Any, path: Any, **kwargs: Any) -> Any:
        if path.endswith("/set_state"):
            await once(method, path, **kwargs)
        return await once(method, path, **kwargs)

    monkeypatch.setattr(bench.client, "request", twice)

    await LightEngine(stand_in, bench.client, ADA).run(run)

    assert [name for name, _ in await bench.states(run)] == ["Scheduled", "Running", "Completed"]


async def test_a_claim_that_the_server_could_not_take_is_not_sent_again_later(
    bench: Bench, prefect_server: PrefectServer
):
    """By then the run may wait, or be cancelled, and the server would take the same request out of that."""
    run = await bench.due(stand_in, said="hello")
    retried = temporary_settings({PREFECT_CLIENT_RETRY_EXTRA_CODES: "500"})
    with retried, store_proxy(prefect_server.api_url) as proxy:
        async with PrefectClient(f"{proxy.endpoint_url}/api") as client:
            proxy.break_down_at("/set_state")

            with pytest.raises(PrefectHTTPStatusError, match="500"):
                await LightEngine(stand_in, client, ADA).run(run)

    assert [path for _, path in proxy.requests if path.endswith("/set_state")] == [f"/api/flow_runs/{run.id}/set_state"]
    assert [name for name, _ in await bench.states(run)] == ["Scheduled"]


async def test_a_run_that_is_due_in_a_moment_waits_for_it(bench: Bench):
    """Workers list a little ahead of time, since clocks differ."""
    run = await bench.due(stand_in, said="hello")
    due = datetime.now(UTC) + timedelta(seconds=2)
    await bench.client.set_flow_run_state(run.id, Scheduled(scheduled_time=due), force=True)

    await LightEngine(stand_in, bench.client, ADA).run(await bench.client.read_flow_run(run.id))

    ended = (await bench.client.read_flow_run(run.id)).state
    assert ended is not None
    assert ended.is_completed()
    assert ended.timestamp > due


async def test_a_limit_of_the_deployment_holds_for_the_runs_of_one_worker(bench: Bench):
    """Prefect hands out the slots of a limit on the way to Pending, and only there."""
    limited = await bench.deployment(stand_in, limit=1)
    runs = [await bench.due_of(limited, said="hello") for _ in range(2)]
    engine, admission = LightEngine(stand_in, bench.client, ADA), Admission(bench.client, "")

    is_limited = await admission.is_limited(runs[0])
    ended = await asyncio.gather(*(engine.run(run, is_limited=is_limited) for run in runs))

    assert [state.name for state in ended if state] == ["Completed"]
    states = [[name for name, _ in await bench.states(run)] for run in runs]
    assert sorted(states) == [
        ["Scheduled", "AwaitingConcurrencySlot"],
        ["Scheduled", "Pending", "Running", "Completed"],
    ]


async def test_a_failed_run_runs_again_when_somebody_retries_it(bench: Bench):
    """As the button of the UI has it; what made it fail is mended by then."""
    run = await bench.due(stand_in, said="no bucket")
    engine = LightEngine(stand_in, bench.client, ADA)
    await engine.run(run)

    await bench.client.set_flow_run_state(run.id, AwaitingRetry())
    await engine.run(await bench.client.read_flow_run(run.id))

    once = ["Running", "Failed"]
    assert [name for name, _ in await bench.states(run)] == ["Scheduled", *once, "AwaitingRetry", *once]


Left = Callable[[Claim], Awaitable[FlowRun]]


@pytest.fixture
async def left(bench: Bench) -> Left:
    """A run that is Running under a claim, and that nobody runs."""

    async def made(claim: Claim) -> FlowRun:
        run = await bench.due(stand_in, said="hello")
        for kind in ("PENDING", "RUNNING"):
            state = {"type": kind, "message": claim.written}
            await bench.client.request(
                "POST", "/flow_runs/{id}/set_state", path_params={"id": run.id}, json={"state": state}
            )
        return run

    return made


async def test_the_run_of_a_dead_process_is_taken_over_once_by_all_workers_together(bench: Bench, left: Left):
    run = await left(ADA.model_copy(update={"began": ADA.began - 1}))
    workers = [ADA.model_copy(update={"worker": f"w-{number}"}) for number in range(3)]
    takers = [TakingOver(bench.client, bench.pool, mine=one, runs_here=lambda: ()) for one in workers]

    taken = await asyncio.gather(*(taker.look() for taker in takers))

    names = [name for name, _ in await bench.states(run)]
    assert [one for some in taken for one in some] == [run.id]
    assert names == ["Scheduled", "Pending", "Running", "AwaitingRetry"]


async def test_the_run_of_a_live_process_is_left_alone(bench: Bench, left: Left):
    run = await left(ADA)
    other = ADA.model_copy(update={"worker": "another in this process"})

    taken = await TakingOver(bench.client, bench.pool, mine=other, runs_here=lambda: ()).look()

    assert taken == []
    assert (await bench.states(run))[-1] == ("Running", ADA.written)


async def test_the_run_of_a_worker_elsewhere_is_taken_over_when_it_is_offline(bench: Bench, left: Left):
    run = await left(BOB)
    await bench.client.send_worker_heartbeat(bench.pool, BOB.worker)
    taking_over = TakingOver(bench.client, bench.pool, mine=ADA, runs_here=lambda: ())

    while_online = await taking_over.look()
    await bench.client.request("DELETE", f"/work_pools/{bench.pool}/workers/{BOB.worker}")
    when_offline = await taking_over.look()

    assert (while_online, when_offline) == ([], [run.id])


async def test_what_a_worker_let_go_of_it_takes_up_again(bench: Bench, left: Left):
    let_go, runs = await left(ADA), await left(ADA)

    taken = await TakingOver(bench.client, bench.pool, mine=ADA, runs_here=lambda: {runs.id}).look()

    assert taken == [let_go.id]


async def test_a_run_that_begins_here_while_they_are_listed_is_not_taken_over(bench: Bench, left: Left):
    """It is claimed by us then, and was not under way when the list was asked for."""
    run = await left(ADA)
    here = chain([set[UUID]()], repeat({run.id}))

    taken = await TakingOver(bench.client, bench.pool, mine=ADA, runs_here=lambda: next(here)).look()

    assert taken == []
    assert (await bench.states(run))[-1] == ("Running", ADA.written)


class Deleting:
    """A client on which somebody deletes a run right before one of its requests."""

    def __init__(self, client: PrefectClient, run: FlowRun, before: str) -> None:
        self._client, self._run, self._before = client, run, before

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        async def called(*args: Any, **kwargs: Any) -> Any:
            if name == self._before:
                self._before = ""
                await self._client.delete_flow_run(self._run.id)
            return await method(*args, **kwargs)

        return called


@pytest.mark.parametrize("before", ["create_flow_run_input", "read_flow_run", "set_flow_run_state"])
async def test_a_run_that_is_deleted_meanwhile_keeps_no_other_from_being_taken_over(
    bench: Bench, left: Left, before: str
):
    # The server lists the greatest id first: that one goes.
    deleted, other = sorted([await left(ADA), await left(ADA)], key=lambda run: str(run.id), reverse=True)
    client: Any = Deleting(bench.client, deleted, before)

    taken = await TakingOver(client, bench.pool, mine=ADA, runs_here=lambda: ()).look()

    assert taken == [other.id]


async def test_the_upkeep_leaves_a_workers_runs_to_the_workers(bench: Bench, left: Left):
    run = await left(BOB)

    revived = await arevive_dead_runs(timedelta(0))

    assert run.id not in revived
