"""Wait for the end of a flow run, and read what was decided in it."""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Callable
from itertools import chain, repeat
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue, ValidationError

from hitl_prefect.connecting import open_client
from hitl_prefect.detached.batch_ends import astanding
from hitl_prefect.errors import ConfigError, ServerUnreachable, UnknownRun
from hitl_prefect.inert import visible
from hitl_prefect.journal import rows_of
from hitl_prefect.outcomes import Outcome
from hitl_prefect.triggering.ending import Decided, Ending
from hitl_prefect.ui import arun_url

__all__ = ["aread_ending", "await_ending", "wait_for_ending"]

_PAUSES_S = (1.0, 1.0, 2.0, 2.0, 5.0)
"""Between two looks; after these 10 s. A look is one request."""
_LONG_S = 10.0
_AWAY_S = 600.0
"""How long a server may be away, such as for an update, while somebody waits."""
_OUTCOME = re.compile(r"hitl-[0-9a-f]{16}-outcome")


async def await_ending(
    run_id: UUID, *, timeout_s: float | None = None, tell: Callable[[str], None] = lambda _: None
) -> Ending:
    """Wait until a flow run has ended, and with batches until the reviews of all of them have.

    Args:
        run_id: The flow run.
        timeout_s: How long; `None`: as long as it takes.
        tell: Told how it stands, in a sentence, each time that this has changed.

    Returns:
        How it stood when it was last looked at; after `timeout_s` its `code` is 4.

    Raises:
        UnknownRun: If there is no such run.
        ConfigError: If a newer release has written what was decided.
        ServerUnreachable: If no Prefect server answers at first, or it was away for ten minutes.
    """
    begun = time.monotonic()
    ending, says, told, heard = await aread_ending(run_id), "", "", begun
    for pause_s in chain(_PAUSES_S, repeat(_LONG_S)):
        says = says or ending.says
        if says != told:
            tell(told := says)
        left_s = math.inf if timeout_s is None else begun + timeout_s - time.monotonic()
        if ending.is_final or left_s <= 0:
            break
        await asyncio.sleep(min(pause_s, left_s))
        try:
            ending, says, heard = await aread_ending(run_id), "", time.monotonic()
        except ServerUnreachable as exc:
            if time.monotonic() - heard > _AWAY_S:
                raise
            says = f"{exc}; trying again"
    return ending


def wait_for_ending(
    run_id: UUID, *, timeout_s: float | None = None, tell: Callable[[str], None] = lambda _: None
) -> Ending:
    """The same as `await_ending`, where no event loop runs."""
    return run_coro_as_sync(await_ending(run_id, timeout_s=timeout_s, tell=tell))


async def aread_ending(run_id: UUID) -> Ending:
    """How a flow run stands now.

    Raises:
        UnknownRun: If there is no such run.
        ConfigError: If a newer release has written what was decided.
        ServerUnreachable: If no Prefect server answers.
    """
    async with open_client() as client:
        return await _ending(client, run_id)


async def _ending(client: PrefectClient, run_id: UUID) -> Ending:
    try:
        run = await client.read_flow_run(run_id)
    except ObjectNotFound as exc:
        raise UnknownRun(
            f"no flow run {run_id} on {PREFECT_API_URL.value()}; look at the address of the server"
        ) from exc
    stands = Ending(run_id=run_id, name=visible(run.name), url=await arun_url(run_id), **_state_of(run))
    return await _with_what_was_decided(client, stands) if stands.kind == "COMPLETED" else stands


def _state_of(run: FlowRun) -> dict[str, str]:
    if run.state is None:
        return {"state": "Scheduled", "kind": "SCHEDULED"}
    return {
        "state": visible(run.state.name or run.state.type.value),
        "kind": run.state.type.value,
        "message": visible(run.state.message or ""),
    }


async def _with_what_was_decided(client: PrefectClient, stands: Ending) -> Ending:
    try:
        batches, reviews_open, reviews_lost = await astanding(client, stands.run_id)
        facts = {"batches": batches, "reviews_open": reviews_open, "reviews_lost": reviews_lost}
        decided = tuple([one async for one in _decided(client, stands.run_id)])
        return stands.model_copy(update={**facts, "decided": decided})
    except ValidationError as exc:
        raise ConfigError(
            f"flow run {stands.run_id} holds an outcome or a summary that cannot be read, {exc.error_count()} fields "
            "do not fit: a newer release wrote it; update hitl_prefect here"
        ) from None


async def _decided(client: PrefectClient, run_id: UUID) -> AsyncIterator[Decided]:
    """The outcomes that a run has recorded in its journal, each of which stands in its store by now."""
    async for row in rows_of(client, run_id, "hitl-"):
        if _OUTCOME.fullmatch(row.key):
            yield Decided.of(Outcome[JsonValue].model_validate_json(row.value))
