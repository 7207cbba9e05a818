"""Processes that are killed at the worst moment, with the real SDKs: nothing is lost and nothing submitted twice."""

import subprocess
import sys

from hitl_prefect import afetch_batches
from tests.servers.machine import wait_until
from tests.wire import batching
from tests.wire.batching import MODELS, open_record, place_all, some_cases

server, store, model = batching.server, batching.store, batching.model

SUBMIT = """
import sys
from hitl_prefect import Case, submit_batch
cases = [Case(id=f"c{n}", task="mail", prompt=f"Question {n}?") for n in range(3)]
[made] = submit_batch(cases, model=sys.argv[1], store=sys.argv[2])
print(made.status)
"""

FETCH_AND_DIE = """
import os, signal, sys, threading
from hitl_prefect import fetch_batches
handed = open(sys.argv[2], "a", buffering=1)
lock = threading.Lock()
def then(ready):
    with lock:
        handed.write(f"{ready.key} {ready.draft.sha256}\\n")
        if sys.argv[3] == "die" and ready.key.endswith("-1"):
            os.kill(os.getpid(), signal.SIGKILL)
print([one.status for one in fetch_batches(store=sys.argv[1], then=then)])
"""


def start(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


def submit(store, model):
    return start(SUBMIT, model, store.url)


def kill_while_the_server_holds_its_reply(server, process):
    assert server.taken.wait(60), process.communicate()[1]
    process.kill()
    process.communicate()
    server.hold.set()


async def test_killed_after_the_provider_took_the_batch_it_is_found_again(server, store, model):
    """The provider has the batch, and nobody noted its id: the next run finds it, and there is one batch."""
    server.hold.clear()
    kill_while_the_server_holds_its_reply(server, submit(store, model))
    again = finish(submit(store, model))
    server.end()
    ready = []
    [found] = await afetch_batches(store=store.url, then=ready.append)

    assert again == ("found" if model == MODELS["openai"] else "in_doubt")
    assert (found.status, len(ready), len(server.batches)) == ("handed_over", 3, 1)


async def test_killed_before_the_provider_took_the_batch_it_is_submitted_once(server, store, model):
    """The call was lost on the way: for 15 minutes it may still arrive, then it is made again."""
    server.lose = True
    server.hold.clear()
    kill_while_the_server_holds_its_reply(server, submit(store, model))
    server.lose = False
    at_once = finish(submit(store, model))
    before = len(server.batches)
    [late] = await place_all(store, model, some_cases(), minutes=16)
    at_last = finish(submit(store, model))

    assert (at_once, before, late.status, at_last, len(server.batches)) == ("in_doubt", 0, "submitted", "already", 1)


async def test_of_two_processes_that_submit_at_the_same_time_one_does(server, store, model):
    """The second one comes while the provider holds the reply to the first."""
    server.hold.clear()
    both = [submit(store, model) for _ in range(2)]
    wait_until(lambda: any(one.poll() is not None for one in both), "one process has ended")
    server.hold.set()
    said = {finish(process) for process in both}

    assert (len(said & {"found", "in_doubt"}), said - {"found", "in_doubt"}) == (1, {"submitted"})
    assert len(server.batches) == 1


async def test_killed_in_the_middle_of_handing_over_it_hands_over_the_same_again(server, store, model, tmp_path):
    """The keys are the same, so that a run that was started is not started again; the provider is not asked again."""
    [made] = await place_all(store, model, some_cases())
    server.end()
    log = tmp_path / "handed.log"
    died = start(FETCH_AND_DIE, store.url, str(log), "die")
    died.communicate(timeout=60)
    first = set(log.read_text().split("\n")) - {""}
    server.batches[0].results = []
    said = finish(start(FETCH_AND_DIE, store.url, str(log), "live"))
    lines = set(log.read_text().split("\n")) - {""}

    assert (died.returncode, said, first <= lines) == (-9, "['handed_over']", True)
    assert sorted(line.split()[0] for line in lines) == [f"hitl-batch-{made.key[:24]}-{n}" for n in range(3)]


async def test_killed_while_results_arrive_it_fetches_them_again(server, store, model, tmp_path):
    """Drafts are kept all together or not at all."""
    await place_all(store, model, some_cases())
    server.end()
    server.hold_results.clear()
    died = start(FETCH_AND_DIE, store.url, str(tmp_path / "log"), "live")
    assert server.sending.wait(60)
    died.kill()
    died.communicate()
    record = await open_record(store)
    kept = await record.drafts()
    server.hold_results.set()
    said = finish(start(FETCH_AND_DIE, store.url, str(tmp_path / "log"), "live"))

    assert (kept, said, len((tmp_path / "log").read_text().split("\n"))) == (None, "['handed_over']", 4)
