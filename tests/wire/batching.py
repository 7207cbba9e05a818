"""What the tests of batches share: cases, a store, and both providers on one loopback server."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hitl_prefect import afetch_batches, asubmit_batch
from hitl_prefect.batch_records import BatchRecord, records
from hitl_prefect.batching import SubmittedBatch, place, split
from hitl_prefect.models import Case
from hitl_prefect.providers import provider_for
from hitl_prefect.stores import FolderStore
from tests.wire.batch_server import BatchServer

MODELS = {"openai": "openai:gpt-4.1", "anthropic": "anthropic:claude-haiku-4-5"}


def some_cases(count: int = 3, **more: Any) -> tuple[Case, ...]:
    return tuple(Case(id=f"c{n}", task="mail", prompt=f"Question {n}?", **more) for n in range(count))


async def nobody() -> frozenset[str]:
    """Batches that others claim: none."""
    return frozenset()


def later(minutes: float) -> Callable[[], datetime]:
    """A clock that is ahead."""
    return lambda: datetime.now(UTC) + timedelta(minutes=minutes)


async def place_all(
    store: FolderStore,
    model: str,
    cases: tuple[Case, ...],
    *,
    minutes: float = 0,
    claimed: Any = nobody,
    now: Any = None,
) -> list[SubmittedBatch]:
    """Submit as `submit_batch` does, with a clock that is ahead."""
    batches = provider_for(model).batches()  # type: ignore[attr-defined]
    found = []
    for submission, part in split(cases, batches, model):
        record = BatchRecord(store, submission.key)
        await record.open(submission)
        found.append(await place(record, submission, part, batches, claimed=claimed, now=now or later(minutes)))
    return found


async def open_record(store: FolderStore) -> BatchRecord:
    [record], _ = await records(store)
    return record


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    with BatchServer() as made:
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return MODELS[request.param]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def everything_in(folder: Path) -> bytes:
    """All that a store holds, names included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(os.fsencode(path) + path.read_bytes() for path in files)


async def submitted(store, model, cases=None):
    [made] = await asubmit_batch(cases or some_cases(), model=model, store=store.url)
    return made


async def fetched(store, **more):
    """What is made of the open batches, and the cases handed over."""
    ready = []
    found = await afetch_batches(store=store.url, then=ready.append, **more)
    return found, sorted(ready, key=lambda one: one.case.id)
