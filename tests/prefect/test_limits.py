"""Rate limits that two workers share through the Prefect server."""

import runpy
import time
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from hitl_prefect.calling import _CalledDecider, expected_tokens
from hitl_prefect.checks import Check, acheck_all
from hitl_prefect.limits import Limit
from hitl_prefect.messages import Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Decided, Decider, Question, Reply, Request
from hitl_prefect.stores.folder import FolderStore
from tests.prefect.site import Site
from tests.servers.machine import wait_until
from tests.wire.loopback import LoopbackAI, Said

SCRIPT = Path(__file__).parents[2] / "blocks" / "save_limits.py"
DRAFT = '{"answer": "yes", "confidence": 0.9}'


@pytest.fixture(scope="module")
def limited_ai():
    with LoopbackAI(as_the_document_says) as ai:
        yield ai


def as_the_document_says(_path, body):
    """Its first two words are the tokens that the server counts; `wait` as the third asks once for patience."""
    tokens_in, tokens_out, *more = str(body["messages"][0]["content"]).split()
    if more[:1] == ["wait"] and str(body) not in told_to_wait:
        told_to_wait.add(str(body))
        return Said("slow down", status=429, error="rate_limit", headers={"retry-after": "4"})
    return Said(DRAFT, usage=(int(tokens_in), int(tokens_out)), delay_s=0.5)


told_to_wait = set()


@pytest.fixture(scope="module")
def sites(prefect_server, tmp_path_factory, limited_ai):
    """Two workers, each with a pool of its own, on one Prefect server."""
    made = []
    for pool in ("limits-1", "limits-2"):
        folder = tmp_path_factory.mktemp(pool)
        site = Site(prefect_server, folder, FolderStore(folder / "outcomes"), pool=pool, **limited_ai.env)
        site.flow = site.deploy("budgets.py:drafts_at_once")
        site.worker.start()
        made.append(site)
    yield made
    for site in made:
        site.close()


@pytest.fixture
def limits(prefect_server, monkeypatch):
    """Saves limits as a user does it; they are gone when the test ends."""

    async def save(**environment):
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
            return await runpy.run_path(str(SCRIPT))["save_limits"]()

    yield save
    for name in ("hitl-openai", "hitl-openai-tokens"):
        httpx.delete(f"{prefect_server.api_url}/v2/concurrency_limits/{name}", trust_env=False)


def ask_from_both(sites, ai, words, count):
    """Run `count` drafts in a flow run on each worker; returns the arrivals, and the most requests at once."""
    before, ai.most_at_once = len(ai.requests), 0
    runs = [(site, site.start_as_declared(site.flow, document=words, count=count)) for site in sites]
    for site, run in runs:
        site.wait(run, "Completed")
    return ai.arrivals[before:], ai.most_at_once


@pytest.mark.full
async def test_calls_of_all_workers_share_the_slots(sites, limited_ai, limits):
    """Six drafts over two workers: at most two are under way at once where there are two slots."""
    await limits(HITL_OPENAI_CONCURRENCY="2")
    arrivals, most = ask_from_both(sites, limited_ai, "11 7", 3)

    assert (len(arrivals), most) == (6, 2)


@pytest.mark.full
def test_without_limits_calls_are_under_way_together(sites, limited_ai):
    """What the limit of two prevents."""
    arrivals, most = ask_from_both(sites, limited_ai, "11 7", 3)

    assert len(arrivals) == 6
    assert most > 2


@pytest.mark.full
async def test_no_slot_is_held_while_waiting_as_told(sites, limited_ai, limits):
    """One slot, and a provider that asks for four seconds of patience: meanwhile the slot is free for others."""
    await limits(HITL_OPENAI_CONCURRENCY="1")
    before = len(limited_ai.requests)
    run = sites[0].start_as_declared(sites[0].flow, document="11 7 wait", count=1)
    wait_until(lambda: len(limited_ai.requests) == before + 1, "the first call")
    wait_until(lambda: taken(sites[0]) == 0, "the slot is free", timeout_s=3)
    asked_while_free = len(limited_ai.requests) - before
    sites[0].wait(run, "Completed")
    first, second = limited_ai.arrivals[before:]

    assert asked_while_free == 1
    assert second - first >= 4


def taken(site):
    return site.api.get("/v2/concurrency_limits/hitl-openai").raise_for_status().json()["active_slots"]


BUCKET, PER_S = 1000, 400


@pytest.fixture
async def token_limit(sites, limits):
    """A small bucket that fills fast: the test would last minutes with a real one."""
    await limits(HITL_OPENAI_TOKENS_PER_MINUTE=str(60 * PER_S))
    changed = sites[0].api.patch("/v2/concurrency_limits/hitl-openai-tokens", json={"limit": BUCKET})
    changed.raise_for_status()


@pytest.mark.full
def test_tokens_of_all_workers_stay_within_the_rate(sites, limited_ai, token_limit):
    """At every call: no more than a full bucket and what has run into it since, as the providers count it."""
    words = "260 200 ".ljust(1040, "x")
    arrivals, _ = ask_from_both(sites, limited_ai, words, 3)
    used = [(460 * (number + 1), moment - arrivals[0]) for number, moment in enumerate(arrivals)]

    assert len(arrivals) == 6
    # The first call arrives up to a second after its tokens were taken.
    assert all(tokens <= BUCKET + PER_S * (since + 1) for tokens, since in used)


@pytest.mark.full
def test_what_a_call_used_beyond_the_estimate_is_taken_after_it(sites, limited_ai, token_limit):
    """Nobody can know that a short prompt has a long answer; the next call, on any worker, waits for it."""
    site = sites[0]
    run = site.start_as_declared(site.flow, document="400 500", count=3)
    site.wait(run, "Completed")
    arrivals = limited_ai.arrivals[-3:]

    assert BUCKET + PER_S * (time.monotonic() - arrivals[0] + 1) >= 3 * 900


async def test_limits_are_saved_twice_as_once_and_the_doctor_shows_them(prefect_server, limits):
    """What the environment does not name stays as it is."""
    first = await limits(HITL_OPENAI_CONCURRENCY="8", HITL_OPENAI_TOKENS_PER_MINUTE="60000")
    second = await limits(HITL_OPENAI_CONCURRENCY="6", HITL_OPENAI_TOKENS_PER_MINUTE="")
    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        checks = await acheck_all(())

    assert (first, second) == (
        ["hitl-openai: 8 calls at once", "hitl-openai-tokens: 60000 tokens a minute"],
        ["hitl-openai: 6 calls at once"],
    )
    assert next(check for check in checks if check.what == "limits") == Check(
        what="limits",
        state="ok",
        found="hitl-openai: 6 calls at once, 0 under way; hitl-openai-tokens: 60000 tokens a minute, 60000 at once",
    )


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5"])
def test_a_limit_that_is_no_whole_number_is_not_saved(monkeypatch, text):
    monkeypatch.setenv("HITL_ANTHROPIC_CONCURRENCY", text)
    with pytest.raises(SystemExit, match=f"HITL_ANTHROPIC_CONCURRENCY='{text}' is no whole number from 1 on"):
        runpy.run_path(str(SCRIPT))["_whole"]("HITL_ANTHROPIC_CONCURRENCY")


def a_limit(name="hitl-openai", *, slots=4, decay_per_second=0.0):
    return Limit(name=name, slots=slots, taken=0, decay_per_second=decay_per_second)


def test_a_limit_that_cannot_be_honoured_says_why():
    """No slots at all, and tokens that never come back."""
    limits = [
        a_limit(),
        a_limit("hitl-openai-tokens", decay_per_second=1),
        a_limit(slots=0),
        a_limit("hitl-openai-tokens"),
    ]

    assert [limit.problem for limit in limits] == [
        None,
        None,
        "the limit 'hitl-openai' has no slots, so that no call may be made; raise it, or delete it",
        "the limit 'hitl-openai-tokens' gives no tokens back; save it with blocks/save_limits.py",
    ]


class Oracle:
    """A decider in this process; it is no provider that has limits."""

    name, model, gives_logprobs = "oracle", "delphi", True

    async def generate(self, request, *, on_text=None):  # noqa: ARG002 - as the protocol names them
        return Reply(text="yes", finish="stop", model="delphi", usage=Usage(input_tokens=5, output_tokens=40))

    async def decide(self, messages, questions):  # noqa: ARG002
        return Decided(probabilities={one.name: 0.5 for one in questions}, model="delphi")


async def test_a_decider_stays_one_and_the_estimate_learns_from_each_answer():
    """256 tokens of answer to begin with; then the mean of those that came."""
    oracle = Oracle()
    called = _CalledDecider(oracle, oracle)
    asked = Request(messages=(Message(role="user", content="12345678"),), answer=str)
    before = expected_tokens("oracle:delphi", "12345678")
    reply = await called.generate(asked)
    decided = await called.decide(asked.messages, (Question(name="right", instructions="It is right."),))

    assert isinstance(called, Decider)
    assert reply == (await oracle.generate(asked)).model_copy(update={"latency_s": reply.latency_s})
    assert decided == Decided(probabilities={"right": 0.5}, model="delphi")
    assert (before, expected_tokens("oracle:delphi", "12345678")) == (2 + 256, 2 + 40)
