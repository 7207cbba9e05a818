"""How often a flow connects to the server: in one that is not async Prefect makes a client for each task.

Unless one is there; each takes 60 to 90 ms.
"""

import pytest
from prefect.context import AsyncClientContext

from flows.resolve_case import resolve_one_case
from tests.prefect.batch_desk import cases, counts, desk_of

# Prefect opens a client for an async flow, asks it for the result storage, and never closes it.
pytestmark = [pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"), pytest.mark.usefixtures("collected")]


@pytest.fixture
def desk(resident, tmp_path, request):
    desk = desk_of(resident, tmp_path, request.node.name)
    desk.model("yes 0.9")
    return desk


@pytest.fixture
def made(monkeypatch):
    """The clients that were made for tasks."""
    made, make = [], AsyncClientContext.__init__
    monkeypatch.setattr(AsyncClientContext, "__init__", lambda *args: made.append(make(*args)))
    return made


def test_all_chunks_of_a_batch_share_a_client(desk, made):
    summary = desk.run(cases(4), chunk=1)

    assert (counts(summary)["accepted"], len(made)) == (4, 1)


def test_all_steps_of_a_case_share_a_client(desk, made):
    with desk.resident.connected():
        resolve_one_case("Is it?", model=f"scripted:{desk.task}", task=desk.task, store=desk.store.url, case_id="c1")

    assert (len(desk.outcomes()), len(made)) == (1, 1)
