"""The deployment whose runs are reviews, and the work pool that they run in."""

from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

__all__ = ["DEPLOYMENT", "ENTRYPOINT", "FLOW", "POOL", "ensure_review_deployment"]

FLOW = "review"
DEPLOYMENT = "hitl"
POOL = "hitl-reviews"
"""The work pool that reviews run in unless told otherwise; of type `hitl`."""
ENTRYPOINT = "hitl_prefect.detached.flow.review"


async def ensure_review_deployment(client: PrefectClient, work_pool: str = POOL) -> UUID:
    """The deployment `review/hitl`, made with its work pool where one of them is missing; moved where it has another.

    Args:
        client: An open Prefect client.
        work_pool: Where its runs go on once somebody has answered: of type `hitl`, for `hitl worker`; or an existing
            one of any type whose workers have this package and the answer types.
    """
    await _ensure_pool(client, work_pool)
    try:
        found = await client.read_deployment_by_name(f"{FLOW}/{DEPLOYMENT}")
    except ObjectNotFound:
        pass
    else:
        if (found.work_pool_name, found.entrypoint) == (work_pool, ENTRYPOINT):
            return found.id
    flow_id = await client.create_flow_from_name(FLOW)
    return await client.create_deployment(
        flow_id=flow_id,
        name=DEPLOYMENT,
        entrypoint=ENTRYPOINT,
        work_pool_name=work_pool,
        tags=["hitl"],
        enforce_parameter_schema=False,
        description="Reviews that wait in a flow run of their own. Opened by `resolve_cases`; run by `hitl worker`.",
    )


async def _ensure_pool(client: PrefectClient, name: str) -> None:
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        try:
            await client.create_work_pool(WorkPoolCreate(name=name, type="hitl"))
        except ObjectAlreadyExists:
            return
