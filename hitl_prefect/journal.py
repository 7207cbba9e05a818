"""What a flow run has already done for a case, as rows of Prefect's own database.

Each step is recorded once, as an input of the flow run: the database keeps one row per run and key, so the first
record stands and every later one reads it back. A flow that runs again after a resume, a retry, a redeploy or a crash
finds here what it did, on whatever machine it runs. Nothing else has to be set up: no result storage, no shared disk.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRunInput
from prefect.context import AsyncClientContext, FlowRunContext
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run as current_run

from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case
from hitl_prefect.outcomes import CaseRecord

__all__ = ["Execution", "Journal", "execution_of", "open_journal", "slug_named", "slug_of"]

Step = TypeVar("Step", bound=Frozen)

_ROWS = 1000
"""More steps than a case can have."""
_PAGE = 200
"""Of the inputs of a run with many cases."""


Execution = tuple[UUID, datetime | None]
"""A flow run, and when this process began to run it."""


def execution_of(run_id: UUID) -> Execution:
    """What tells one running of a flow run from the next: a resumed run may come back to the same process."""
    context = FlowRunContext.get()
    return run_id, context.start_time if context else None


class Journal:
    """The record of one case in one flow run.

    Args:
        client: An open Prefect client.
        flow_run_id: The flow run whose inputs hold the rows.
        case: Names the rows; two cases of one run never meet.
        is_alone: Whether the flow run is about this case and no other: then all of its rows are read at once.
    """

    def __init__(
        self, client: PrefectClient, flow_run_id: UUID, case: Case | CaseRecord, *, is_alone: bool = False
    ) -> None:
        self.client = client
        self.flow_run_id = flow_run_id
        self.slug = slug_of(case)
        self.is_alone = is_alone
        self._rows: dict[str, str] = {}
        self._created: dict[str, datetime] = {}
        self._loop = asyncio.get_running_loop()

    def is_of(self, flow_run_id: UUID, case: Case | CaseRecord) -> bool:
        """Whether this is the journal of that case in that run, for the event loop that we are in."""
        return (self.flow_run_id, self.slug, self._loop) == (flow_run_id, slug_of(case), asyncio.get_running_loop())

    async def load(self) -> None:
        """Read every row of the case in one call."""
        begins = "" if self.is_alone else f"{self.slug}-"
        rows = await self.client.filter_flow_run_input(self.flow_run_id, begins, _ROWS, set())
        self._rows = {row.key: row.value for row in rows}
        self._created = {row.key: row.created for row in rows if row.created}

    async def row(self, key: str) -> tuple[str, datetime] | None:
        """Any row of the run, as (JSON text, when the server stored it); `None` where there is none."""
        if key in self._created:
            return self._rows[key], self._created[key]
        return await read_row(self.client, self.flow_run_id, key)

    def read(self, step: str, model: type[Step]) -> Step | None:
        """What was recorded for a step when the journal was loaded, or since by this process."""
        value = self._rows.get(self.key(step))
        return None if value is None else model.model_validate_json(value)

    def holds(self, step: str) -> bool:
        """Whether a step was recorded when the journal was loaded, or since by this process."""
        return self.key(step) in self._rows

    async def record(self, step: str, value: Step) -> Step:
        """Record a step unless it stands there already.

        Returns:
            What stands: `value`, or what another process recorded first.
        """
        key, text = self.key(step), value.model_dump_json(by_alias=True)
        if not await create_row(self.client, self.flow_run_id, key, text):
            text = await self.client.read_flow_run_input(self.flow_run_id, key)
        self._rows[key] = text
        return type(value).model_validate_json(text)

    def key(self, step: str) -> str:
        """Where a step's row stands in the run."""
        return f"{self.slug}-{step}"


def slug_of(case: Case | CaseRecord) -> str:
    """Begins every key of a case: lower-case letters, digits and dashes, as Prefect wants them."""
    return slug_named(case.task, case.id)


def slug_named(task: str, case_id: str) -> str:
    """The same of a case of which only the names are known."""
    return f"hitl-{hashlib.sha256(f'{task}/{case_id}'.encode()).hexdigest()[:16]}"


async def create_row(client: PrefectClient, flow_run_id: UUID, key: str, value: str) -> bool:
    """Create one input of a flow run; `False` where the key is taken."""
    try:
        await client.create_flow_run_input(flow_run_id, key, value)
    except PrefectHTTPStatusError as exc:
        if exc.response.status_code != 409:
            raise
        return False
    return True


async def rows_of(client: PrefectClient, flow_run_id: UUID, begins: str = "") -> AsyncIterator[FlowRunInput]:
    """Every input of a flow run whose key begins so, page by page, however many there are."""
    seen: set[str] = set()
    while rows := await client.filter_flow_run_input(flow_run_id, begins, _PAGE, seen):
        seen |= {row.key for row in rows}
        for row in rows:
            yield row


async def read_row(client: PrefectClient, flow_run_id: UUID, key: str) -> tuple[str, datetime] | None:
    """One input of a flow run as (JSON text, when the server stored it); `None` where there is none."""
    rows = await client.filter_flow_run_input(flow_run_id, key, _ROWS, set())
    row = next((row for row in rows if row.key == key), None)
    return None if row is None or row.created is None else (row.value, row.created)


_open: ContextVar[Journal | None] = ContextVar("hitl_journal", default=None)


@asynccontextmanager
async def open_journal(case: Case | CaseRecord, *, is_alone: bool = False) -> AsyncIterator[Journal | None]:
    """The journal of a case in the flow run that we are in; `None` outside of any flow run.

    Within the block, the same case gets the same journal: one client and one reading, however many steps.

    Args:
        case: Whose.
        is_alone: Whether the flow run is about this case and no other.
    """
    if (run_id := current_run.id) is None:
        yield None
        return
    here = _open.get()
    if here is not None and here.is_of(UUID(str(run_id)), case):
        yield here
        return
    # For all tasks within: in a flow that is not async each would make a client of its own.
    async with AsyncClientContext.get_or_create() as connected:
        journal = Journal(connected.client, UUID(str(run_id)), case, is_alone=is_alone)
        await journal.load()
        token = _open.set(journal)
        try:
            yield journal
        finally:
            _open.reset(token)
