"""Which flow runs a worker of type `hitl` runs: reviews of this package, and nothing else."""

import asyncio
import time
from typing import NamedTuple
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound

__all__ = ["Admission"]

_REMEMBERED_S = 30.0
"""How long a deployment is known: long enough that reviews cost no request for it, short enough to see it changed."""


class _Deployment(NamedTuple):
    entrypoint: str
    is_limited: bool = False


class Admission:
    """Says why a flow run is refused, and which run needs a slot of its deployment.

    Args:
        client: An open client.
        entrypoint: What the deployment of a run that is taken names as its entrypoint.
    """

    def __init__(self, client: PrefectClient, entrypoint: str) -> None:
        self._client, self._entrypoint = client, entrypoint
        # So that many reviews that come together ask once.
        self._asking = asyncio.Lock()
        self._known: dict[UUID, tuple[float, _Deployment]] = {}

    async def refusal(self, flow_run: FlowRun) -> str:
        """Why a run is refused and what to do instead; empty where it is taken."""
        found = (await self._deployment_of(flow_run)).entrypoint
        if found == self._entrypoint:
            return ""
        return (
            f"a worker of type 'hitl' runs only the reviews of hitl_prefect ({self._entrypoint}), in its own process, "
            f"and not {found!r}: deploy it to a work pool of type 'process'"
        )

    async def is_limited(self, flow_run: FlowRun) -> bool:
        """Whether the run's deployment has a concurrency limit."""
        return (await self._deployment_of(flow_run)).is_limited

    async def _deployment_of(self, flow_run: FlowRun) -> _Deployment:
        if flow_run.deployment_id is None:
            return _Deployment("a run without a deployment")
        async with self._asking:
            until, known = self._known.get(flow_run.deployment_id, (0.0, None))
            if known is None or until < time.monotonic():
                until, known = time.monotonic() + _REMEMBERED_S, await self._read(flow_run.deployment_id)
                self._known[flow_run.deployment_id] = until, known
        return known

    async def _read(self, deployment_id: UUID) -> _Deployment:
        try:
            found = await self._client.read_deployment(deployment_id)
        except ObjectNotFound:
            return _Deployment("a deployment that is gone")
        return _Deployment(
            found.entrypoint or "a deployment without entrypoint", found.global_concurrency_limit is not None
        )
