"""What Prefect holds of a case that was forgotten: rows, parameters and artifacts of its flow run."""

import re
from typing import Literal
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.exceptions import ObjectNotFound

from hitl_prefect.frozen import Frozen
from hitl_prefect.journal import rows_of, slug_named
from hitl_prefect.tombstones import Tombstone

__all__ = ["ForgottenRun", "aforget_run"]

_OF_A_CASE = re.compile(r"(?:(?:suspended|paused)-)?(hitl-[0-9a-f]{16})-.+")
"""Rows of our own, and those in which Prefect keeps a form and what was typed into it: `suspended-...-response`."""


class ForgottenRun(Frozen):
    """What became of the flow run that made an outcome."""

    run_id: str | None
    now: Literal["deleted", "gone", "shared", "running", "unknown"]
    """`gone`: it was deleted before. `shared`: it is about other cases too; only this one's rows are gone, while
    parameters, artifacts and logs stay. `running`: it has not ended, and all of it stays. `unknown`: the outcome named
    no run."""


async def aforget_run(client: PrefectClient, tombstone: Tombstone) -> ForgottenRun:
    """Delete the flow run of a case with its artifacts; of a run with several cases, the rows of this one.

    Logs go with the run a moment later. Prefect's events name the run and its flow until the server drops them, after a
    week unless it is set up otherwise; with `Policy.message_holds` they hold prompt and draft, in part.

    Raises:
        PrefectHTTPStatusError, httpx.TransportError: If the server refuses, or is away.
    """
    if tombstone.flow_run_id is None:
        return ForgottenRun(run_id=None, now="unknown")
    run_id = UUID(tombstone.flow_run_id)
    try:
        run = await client.read_flow_run(run_id)
    except ObjectNotFound:
        return ForgottenRun(run_id=str(run_id), now="gone")
    if run.state is None or not run.state.is_final():
        return ForgottenRun(run_id=str(run_id), now="running")
    return ForgottenRun(run_id=str(run_id), now=await _forget(client, run_id, tombstone))


async def _forget(client: PrefectClient, run_id: UUID, tombstone: Tombstone) -> Literal["deleted", "shared"]:
    keys = [row.key async for row in rows_of(client, run_id)]
    of_cases = {key: found[1] for key in keys if (found := _OF_A_CASE.fullmatch(key))}
    ours = slug_named(tombstone.task, tombstone.case)
    if set(of_cases.values()) == {ours}:
        await _delete(client, run_id)
        return "deleted"
    for key in (key for key, slug in of_cases.items() if slug == ours):
        await client.delete_flow_run_input(run_id, key)
    return "shared"


async def _delete(client: PrefectClient, run_id: UUID) -> None:
    """The artifacts first: with the run gone nobody would find them again."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    while found := await client.read_artifacts(artifact_filter=of_run):
        for one in found:
            await client.delete_artifact(one.id)
    await client.delete_flow_run(run_id)
