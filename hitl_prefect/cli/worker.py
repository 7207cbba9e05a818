"""`hitl worker`."""

import asyncio
import signal
from typing import Annotated

from cyclopts import Parameter, validators
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.logging.configuration import setup_logging

from hitl_prefect.cli.printing import say
from hitl_prefect.detached.deployment import DEPLOYMENT, FLOW, POOL, ensure_review_deployment
from hitl_prefect.worker.resident import LIMIT, MOST, HitlWorker, check_type
from hitl_prefect.worker.serving import shared_client

__all__ = ["worker"]


async def worker(
    *,
    pool: str = POOL,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=MOST))] = LIMIT,
    once: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Run the reviews that people have answered, in this process, until Ctrl-C.

    Start it in the folder of the project: the types of answers are found from there.

    Args:
        pool: Work pool of type `hitl`, the same as the `work_pool` of `resolve_cases`; made, with the deployment
            `review/hitl`, where it is missing.
        limit: Reviews at a time, at most 200.
        once: Run what is due now, and end.
    """
    # So that the log of a review appears on its page.
    setup_logging()
    _end_politely()
    try:
        async with shared_client(say) as client:
            await _check_pool(client, pool)
            await ensure_review_deployment(client, pool)
            say(f"Deployment {FLOW}/{DEPLOYMENT} runs in work pool {pool!r}, {limit} reviews at a time.")
            await HitlWorker(work_pool_name=pool, limit=limit).start(run_once=once, printer=say)
    except asyncio.CancelledError:
        say("Stopped.")
    return 0


async def _check_pool(client: PrefectClient, name: str) -> None:
    """Before the reviews' deployment is moved to it."""
    try:
        pool = await client.read_work_pool(name)
    except ObjectNotFound:
        return
    check_type(pool)


def _end_politely() -> None:
    """The first Ctrl-C or SIGTERM lets reviews under way end; the next one ends at once."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None  # noqa: S101 - this is one
    ends = (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        for number in ends:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        say("Finishing the reviews under way; again to stop at once.")
        me.cancel()

    for number in ends:
        loop.add_signal_handler(number, end)
