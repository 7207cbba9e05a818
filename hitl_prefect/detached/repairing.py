"""Complete reviews that were half opened: whoever opened them died in the middle."""

from collections.abc import Container
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import ValidationError

from hitl_prefect.detached.lots import Lot, lots_noted, shrink_lot
from hitl_prefect.detached.opening import Opening, complete
from hitl_prefect.detached.parameters import ReviewParameters, thaw
from hitl_prefect.errors import HitlError
from hitl_prefect.run_pages import RUNS, TAG, Run

__all__ = ["arepair_reviews", "repair_reviews"]

_PATIENCE = timedelta(minutes=1)
"""Opening a hundred reviews takes seconds."""
_GIVEN_UP = timedelta(hours=1)
"""A flow run that is not there by then is not about to be created any more; to open the review again creates it."""


async def arepair_reviews(patience: timedelta = _PATIENCE) -> list[UUID]:
    """Complete every review that was created and cannot be answered yet; each from its own parameters.

    Args:
        patience: How long ago whoever opened it must have begun, so that nobody is at it any more.

    Returns:
        The flow runs that can be answered now, with those that were opened together with them.
    """
    async with get_client() as client:
        lots = await lots_noted(client, datetime.now(UTC) - patience)
        return [run_id for lot in lots for run_id in await _repair_lot(client, lot)]


def repair_reviews(patience: timedelta = _PATIENCE) -> list[UUID]:
    """The same as `arepair_reviews`, for a flow that is not async."""
    return run_coro_as_sync(arepair_reviews(patience))


async def _repair_lot(client: PrefectClient, lot: Lot) -> list[UUID]:
    try:
        runs = await _runs_of(client, lot)
        # Who was answered meanwhile needs nothing.
        waiting = {key: run for key, run in runs.items() if run["state_type"] == "PAUSED"}
        done = {key: UUID(run["id"]) for key, run in waiting.items() if await _repair(client, run)}
        await shrink_lot(client, lot, _left(lot, runs, waiting.keys() - done.keys()))
    except (PrefectHTTPStatusError, httpx.TransportError) as exc:
        get_logger("hitl").warning("the reviews of %s are left for later (%s)", lot.name, type(exc).__name__)
        return []
    return list(done.values())


def _left(lot: Lot, runs: Container[str], failed: Container[str]) -> list[str]:
    """Those that the lot still notes: whoever opens it may be slow, and create a run when the others are repaired."""
    is_late = lot.created <= datetime.now(UTC) - _GIVEN_UP
    return [key for key in lot.keys if key in failed or (key not in runs and not is_late)]


async def _runs_of(client: PrefectClient, lot: Lot) -> dict[str, Run]:
    """Those of its flow runs that were created, by idempotency key."""
    wanted = {"tags": {"all_": [TAG]}, "idempotency_key": {"any_": lot.keys}}
    found: list[Run] = (await client.request("POST", RUNS, json={"flow_runs": wanted})).raise_for_status().json()
    return {run["idempotency_key"]: run for run in found}


async def _repair(client: PrefectClient, run: Run) -> bool:
    try:
        review = await thaw(ReviewParameters.model_validate(run["parameters"]))
        return await complete(client, [(UUID(run["id"]), Opening(review))])
    except (HitlError, ValidationError, PrefectHTTPStatusError, httpx.TransportError) as exc:
        # The class alone: an error of the server repeats what was sent.
        said = "flow run %s is half opened and left for later (%s)"
        get_logger("hitl").warning(said, run["id"], type(exc).__name__)
        return False
