"""The worker of type `hitl`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from hitl_prefect.errors import ConfigError

if TYPE_CHECKING:
    import anyio.abc
    from prefect.client.schemas.objects import FlowRun, WorkPool

    from hitl_prefect.worker.serving import Serving

__all__ = ["LIMIT", "MOST", "HitlWorker", "check_type"]

LIMIT = 64
"""Reviews at a time, unless told otherwise: each waits up to half a second for a look that they share, and with fewer
the server has too little to do meanwhile."""
MOST = 200
"""Reviews at a time, whatever one is told: as many runs as Prefect lists at once."""
_SILENT = 2
"""After so many missed heartbeats the worker lets go of its reviews; others take them over after three."""


class HitlWorker(BaseWorker[BaseJobConfiguration, BaseVariables, BaseWorkerResult]):
    """Runs resumed reviews inside its own process, many at a time, and wakes as soon as one is resumed.

    How it is started and seen is what it shares with Prefect's other workers: heartbeat, record in the work pool,
    health check. Instead of submitting runs it has `Serving`.
    """

    type = "hitl"
    job_configuration = BaseJobConfiguration
    entrypoint: ClassVar[str] = "hitl_prefect.detached.flow.review"
    """The flow that it runs; every other is refused. Written out, since what opens reviews is not loaded here."""
    _description = "Run the reviews of hitl_prefect in one resident process, instead of in a new one for each."
    _display_name = "HITL reviews"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._serving: Serving | None = None
        self._serves: asyncio.Task[None] | None = None
        self._run_once = self._is_away = False
        self._synced_at = monotonic()
        self._tell: Callable[[str], None] = self._logger.info

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """Nothing can be set about the infrastructure of a review: there is none."""
        # The server takes no empty configuration.
        return {"job_configuration": {"env": {}}, "variables": {"type": "object", "properties": {}}}

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """Run until it is cancelled; reviews under way are finished first.

        Args:
            run_once: Run what is due now, and end.
            with_healthcheck: Answer on Prefect's health check port.
            printer: Where it says that it began and ended, and one line about each review.

        Raises:
            ConfigError: If the work pool is of another type: its runs are not ours to refuse.
        """
        # Not above: this module is loaded by every command about workers.
        from hitl_prefect.worker.serving import shared_client

        self._run_once, self._tell = run_once, printer
        async with shared_client(printer):
            await super().start(run_once=run_once, with_healthcheck=with_healthcheck, printer=printer)

    async def teardown(self, *exc_info: Any) -> None:
        """Take nothing new, finish what is under way within a bound, and end."""
        if self._serves is not None:
            self._serves.cancel()
            await asyncio.wait({self._serves})
        if self._serving is not None:
            await self._serving.finish()
        await super().teardown(*exc_info)

    async def sync_with_backend(self) -> None:
        """Send a heartbeat; begin to serve once the work pool is known. A server that is away ends nothing."""
        from hitl_prefect.worker.states import AWAY, is_away

        try:
            await super().sync_with_backend()
        except AWAY as exc:
            if not is_away(exc):
                raise
            self._miss(exc)
            return
        self._synced_at, self._is_away = monotonic(), False
        if self._serving is None and self._work_pool is not None and self._work_pool.type == self.type:
            self._begin()

    def _miss(self, exc: Exception) -> None:
        if not self._is_away:
            self._tell(f"no heartbeat ({type(exc).__name__}): the Prefect server is away")
        self._is_away = True
        if self._serving is not None and monotonic() - self._synced_at > _SILENT * self.heartbeat_interval_seconds:
            self._serving.drop()

    def _begin(self) -> None:
        from hitl_prefect.worker.attending import RunSource
        from hitl_prefect.worker.claims import Claim
        from hitl_prefect.worker.serving import Serving

        limit = min(self._limit or LIMIT, MOST)
        queues = tuple(sorted(self._work_queues))
        source = RunSource(
            pool=self._work_pool_name,
            queues=queues,
            ahead_s=self._prefetch_seconds,
        )
        self._serving = Serving(
            self.client,
            self.work_pool,
            source,
            Claim.mine(self.name),
            flow=self.entrypoint,
            limit=limit,
            tell=self._tell,
        )
        if not self._run_once:
            self._serves = asyncio.create_task(self._serving.serve(), name="hitl worker")

    async def get_and_submit_flow_runs(self) -> list["FlowRun"]:
        """What Prefect's own polling calls: here it only looks whether all is well."""
        self._last_polled_time = datetime.now(UTC)
        if self._work_pool is not None:
            check_type(self._work_pool)
        if self._run_once and self._serving is not None:
            await self._serving.once()
        if self._serves is not None and self._serves.done():
            self._serves.result()
        return []

    async def run(
        self,
        flow_run: "FlowRun",
        configuration: BaseJobConfiguration,  # noqa: ARG002 - as Prefect calls it
        task_status: "anyio.abc.TaskStatus[int] | None" = None,
    ) -> BaseWorkerResult:
        """Run one review in this process; `Serving` does it for those that are due."""
        if task_status is not None:
            task_status.started(0)
        if self._serving is not None:
            await self._serving.run(flow_run)
        return BaseWorkerResult(identifier=str(flow_run.id), status_code=0)


def check_type(pool: "WorkPool") -> None:
    """Refuse a work pool that is not for reviews alone.

    Raises:
        ConfigError: If it is of another type: its runs are not ours to refuse.
    """
    if pool.type != HitlWorker.type:
        raise ConfigError(
            f"work pool {pool.name!r} is of type {pool.type!r}: a worker of type {HitlWorker.type!r} would refuse its "
            f"runs. Name a pool of type {HitlWorker.type!r}, or one that does not exist yet: it is made"
        )
