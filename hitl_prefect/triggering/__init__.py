"""Start a deployment's run from outside Prefect, wait for what people decide, and act on it."""

from hitl_prefect.triggering.ending import Decided, Ending
from hitl_prefect.triggering.starting import Started, astart_run, start_run
from hitl_prefect.triggering.waiting import aread_ending, await_ending, wait_for_ending

__all__ = [
    "Decided",
    "Ending",
    "Started",
    "aread_ending",
    "astart_run",
    "await_ending",
    "start_run",
    "wait_for_ending",
]
