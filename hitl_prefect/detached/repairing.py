"""Complete reviews that were half opened: whoever opened them died in the middle."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import ValidationError

from hitl_prefect.detached.opening import Opening, complete
from hitl_prefect.detached.parameters import ReviewParameters, thaw
from hitl_prefect.errors import HitlError
from hitl_prefect.run_pages import RUNS, ours
from hitl_prefect.signposts import OPENING

__all__ = ["arepair_reviews", "repair_reviews"]

_PATIENCE = timedelta(minutes=1)
"""Opening a hundred reviews takes seconds."""
_PAGE = 200


async def arepair_reviews(patience: timedelta = _PATIENCE) -> list[UUID]:
    """Complete every review that was created and cannot be answered yet; each from its own parameters.

    Args:
        patience: How old one must be, so that nobody is at it any more.

    Returns:
        The flow runs that can be answered now.
    """
    async with get_client() as client:
        wanted = ours("PAUSED") | {"tags": {"all_": [OPENING]}}
        body = {"flow_runs": wanted, "sort": "START_TIME_ASC", "limit": _PAGE}
        found = (await client.request("POST", RUNS, json=body)).raise_for_status().json()
        before = datetime.now(UTC) - patience
        old = [run for run in found if datetime.fromisoformat(run["created"]) <= before]
        return [UUID(run["id"]) for run in old if await _repair(client, UUID(run["id"]), run["parameters"])]


def repair_reviews(patience: timedelta = _PATIENCE) -> list[UUID]:
    """The same as `arepair_reviews`, for a flow that is not async."""
    return run_coro_as_sync(arepair_reviews(patience))


async def _repair(client: PrefectClient, run_id: UUID, parameters: dict[str, object]) -> bool:
    try:
        review = await thaw(ReviewParameters.model_validate(parameters))
        await complete(client, [(run_id, Opening(review))])
    except (HitlError, ValidationError, PrefectHTTPStatusError, httpx.TransportError) as exc:
        # The class alone: an error of the server repeats what was sent.
        get_logger("hitl").warning("flow run %s is half opened and left for later (%s)", run_id, type(exc).__name__)
        return False
    return True
