"""Which flow runs a worker of type `hitl` runs: reviews of this package, and nothing else."""

import asyncio
import time
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound

__all__ = ["Admission"]

_REMEMBERED_S = 30.0
"""How long a deployment is known: long enough that reviews cost no request for it, short enough to see it changed."""


class Admission:
    """Says why a flow run is refused.

    Args:
        client: An open client.
        entrypoint: What the deployment of a run that is taken names as its entrypoint.
    """

    def __init__(self, client: PrefectClient, entrypoint: str) -> None:
        self._client, self._entrypoint = client, entrypoint
        # So that many reviews that come together ask once.
        self._asking = asyncio.Lock()
        self._known: dict[UUID, tuple[float, str]] = {}

    async def refusal(self, flow_run: FlowRun) -> str:
        """Why a run is refused and what to do instead; empty where it is taken."""
        found = await self._entrypoint_of(flow_run.deployment_id) if flow_run.deployment_id else ""
        if found == self._entrypoint:
            return ""
        return (
            f"a worker of type 'hitl' runs only the reviews of hitl_prefect ({self._entrypoint}), in its own process, "
            f"and not {found or 'a run without a deployment'!r}: deploy it to a work pool of type 'process'"
        )

    async def _entrypoint_of(self, deployment_id: UUID) -> str:
        async with self._asking:
            known = self._known.get(deployment_id)
            if known is None or known[0] < time.monotonic():
                until = time.monotonic() + _REMEMBERED_S
                self._known[deployment_id] = known = (until, await self._read(deployment_id))
        return known[1]

    async def _read(self, deployment_id: UUID) -> str:
        try:
            return (await self._client.read_deployment(deployment_id)).entrypoint or "a deployment without entrypoint"
        except ObjectNotFound:
            return "a deployment that is gone"
