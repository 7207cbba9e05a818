"""Which waiting flow runs a batch passes over, and how many of them it reads."""

import httpx
import pytest

from hitl_prefect.detached.asked import KEY
from hitl_prefect.many.asked import pass_over_asked
from tests.unit.test_known import batch_of


class Server:
    """Answers `/flow_runs/filter` with these runs, the latest start first."""

    def __init__(self, *runs):
        self.runs, self.asked = runs, []

    async def request(self, _method, _path, *, json):
        self.asked.append(json["flow_runs"])
        latest = json["flow_runs"].get("start_time", {}).get("before_", "9999")
        found = [run for run in self.runs if run["start_time"] <= latest]
        return httpx.Response(200, json=found[json["offset"] :][: json["limit"]])


def review_run(number, store, *, batch="earlier", **parameters):
    """A review in a flow run of its own."""
    given = {"case": f"c{number}", "task": "demo", "store": store, "batch": batch, **parameters}
    tags = ["hitl", "task:demo", f"batch:{batch}", "waiting"]
    return run_of(number, tags, idempotency_key=f"{KEY}{number:040}", parameters=given)


def flow_run(case, task="demo", tags=("hitl", "task:demo", "waiting")):
    """A flow that resolves a case, and waits."""
    return run_of(case, list(tags), labels={"hitl.case": f"c{case}", "hitl.task": task})


def run_of(number, tags, **known):
    start = {"id": f"run-{number}", "start_time": f"2026-01-02T12:00:00.{999_999 - number:06}Z"}
    return {**start, "tags": tags, "idempotency_key": None, "parameters": {}, "labels": {}, **known}


def waiting(batch):
    return [
        case for (case,) in batch.ledger.execute("SELECT id FROM cases WHERE state = 'waiting_before' ORDER BY place")
    ]


async def test_only_what_others_ask_about_for_the_same_store_is_passed_over(tmp_path):
    """Members of a group included; a review that was opened before they stood in the parameters has none."""
    with batch_of(tmp_path, 9) as batch:
        here = batch.wanted.store
        server = Server(
            review_run(1, here, members=["c2"]),
            review_run(3, here),
            review_run(4, "folder:elsewhere"),
            review_run(5, here, batch=batch.name),
            flow_run(6),
            flow_run(7, task="other"),
            flow_run(8, tags=("hitl", "task:demo")),
            flow_run(77),
        )
        await pass_over_asked(server, batch)

        assert waiting(batch) == ["c1", "c2", "c3", "c6"]


@pytest.mark.parametrize(("cases", "pages"), [(1, 1), (201, 2), (1000, 4)])
async def test_no_page_is_read_beyond_the_last_case_that_may_be_on_it(tmp_path, cases, pages):
    """Each begins with the last run of the one before."""
    with batch_of(tmp_path, cases) as batch:
        server = Server(*(review_run(number, batch.wanted.store) for number in range(1, 701)))
        await pass_over_asked(server, batch)

        assert (len(waiting(batch)), len(server.asked)) == (min(cases, 700), pages)


async def test_a_batch_of_which_all_is_decided_reads_none(tmp_path):
    with batch_of(tmp_path, 1) as batch:
        batch.ledger.settle([1], "accepted")
        server = Server()
        await pass_over_asked(server, batch)

        assert server.asked == []


async def test_who_has_a_form_of_this_batch_keeps_it(tmp_path):
    """A run that was killed may have opened it."""
    with batch_of(tmp_path, 2) as batch:
        batch.ledger.change("UPDATE cases SET state = 'drafted', form = ? WHERE place = ?", [(1, 1)])
        await pass_over_asked(Server(review_run(1, batch.wanted.store), review_run(2, batch.wanted.store)), batch)

        assert waiting(batch) == ["c2"]


async def test_what_waited_elsewhere_is_looked_at_again(tmp_path):
    """It is to be drafted, or has its draft; a decision is found where it waits."""
    with batch_of(tmp_path, 2) as batch:
        await pass_over_asked(Server(review_run(1, batch.wanted.store)), batch)
        found = batch.ledger.undecided(["c1", "c2"])
        batch.ledger.begin()

        assert (found, batch.ledger.counts()) == ([(1, "c1"), (2, "c2")], {"waiting": 2})
