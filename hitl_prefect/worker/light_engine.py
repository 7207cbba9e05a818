"""Runs one flow run of a review in this very process, with as few requests as true states need.

Prefect's own engine, which can do everything, asks the server some twelve times for a run that only reads an answer and
stores an outcome. This one claims the run by setting it Running, sets how it ended, and gives the flow what it looks
for: the context of its run, a logger whose lines appear on the run's page, and one client for all.
"""

from pathlib import Path
from traceback import extract_tb
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, Pause
from prefect.logging.loggers import flow_run_logger
from prefect.results import ResultStore
from prefect.states import Completed, Failed, Pending, Running

from hitl_prefect.errors import HitlError
from hitl_prefect.inert import short
from hitl_prefect.notices import quoted
from hitl_prefect.outcomes import Outcome
from hitl_prefect.worker.claims import Claim
from hitl_prefect.worker.states import end, enter, is_away, sending_once

__all__ = ["LightEngine"]

_NAME = 60
"""About how many characters of a reviewer's name are told."""


class LightEngine:
    """Runs flow runs of one flow; any number at a time.

    Args:
        flow: An async flow that may be run again from the top at any time.
        client: An open client, shared by all runs.
        claim: Who runs them.
    """

    def __init__(self, flow: Flow[Any, Any], client: PrefectClient, claim: Claim) -> None:
        self._flow, self._client, self._claim = flow, client, claim
        # Results are not kept: the outcome is in its store, and what the flow did in its journal.
        self._results = ResultStore()
        self._once = sending_once()

    async def run(self, flow_run: FlowRun, *, is_limited: bool = False) -> State | None:
        """Claim a scheduled run, and run it until it ends or waits again.

        Args:
            flow_run: As it was listed.
            is_limited: Whether its deployment has a concurrency limit: Prefect hands out its slots on the way to
                Pending, which all others leave out: a state is a quarter of what a review costs the server.

        Returns:
            The state that it was left in; `None` where another worker has it, or nobody is to run it any more.

        Raises:
            httpx.TransportError, PrefectHTTPStatusError: If the server went away meanwhile. The run keeps the state
                that it had, with our claim.
        """
        written = self._claim.written
        if is_limited and not await self._enter(flow_run, Pending(message=written)):
            return None
        if not await self._enter(flow_run, Running(message=written)):
            return None
        return await self._run(flow_run)

    async def refuse(self, flow_run: FlowRun, reason: str) -> State | None:
        """Claim a scheduled run, and fail it for a reason."""
        if not await self._enter(flow_run, Pending(message=self._claim.written)):
            return None
        return await self._fail(flow_run, reason)

    async def _enter(self, flow_run: FlowRun, state: State) -> bool:
        return await enter(self._client, flow_run, state, self._once)

    async def _run(self, flow_run: FlowRun) -> State | None:
        try:
            with self._context(flow_run):
                told = await self._flow.fn(**flow_run.parameters)
        except Pause as pause:
            return getattr(pause, "state", None)
        except Abort:
            return None
        except Exception as exc:  # whatever a review raises is how it ended, and the other reviews go on
            if is_away(exc):
                raise
            return await self._fail(flow_run, _in_words(exc))
        ended: State = Completed(message=_how(told))
        flow_run_logger(flow_run, self._flow).info("%s", ended.message)
        return await end(self._client, flow_run, ended, _facts(told))

    async def _fail(self, flow_run: FlowRun, reason: str) -> State | None:
        flow_run_logger(flow_run, self._flow).error("%s", reason)
        return await end(self._client, flow_run, Failed(message=reason), {"failed": reason})

    def _context(self, flow_run: FlowRun) -> FlowRunContext:
        return FlowRunContext(
            flow=self._flow,
            flow_run=flow_run,
            parameters=flow_run.parameters,
            client=self._client,
            task_runner=self._flow.task_runner,
            result_store=self._results,
            persist_result=False,
        )


def _how(told: Any) -> str:
    """How a run ended, for its page: `approve by ada`."""
    if not isinstance(told, Outcome):
        return "done"
    verdicts = told.review.verdicts if told.review else ()
    people = dict.fromkeys(_told_name(verdict.reviewer) for verdict in verdicts if verdict.reviewer)
    return f"{told.decision} by {', '.join(people) or told.decided_by}"


def _told_name(typed: str) -> str:
    """A name as somebody typed it, on one line that no terminal obeys: it stands in states, logs and the worker's."""
    return " ".join(quoted(short(typed, _NAME)).split())


def _facts(told: Any) -> dict[str, str]:
    """The same for programs."""
    if not isinstance(told, Outcome):
        return {"ended": "done"}
    return {
        "task": told.case.task,
        "case": told.case.id,
        "decision": told.decision,
        "decided_by": told.decided_by,
    }


def _in_words(exc: Exception) -> str:
    """What went wrong, without what a model or a person wrote: only our own errors are known to leave that out."""
    if isinstance(exc, HitlError):
        return f"{type(exc).__name__}: {exc}"
    frames = extract_tb(exc.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(exc).__name__}{where}"
