"""Which cases of a batch people are asked about already: by another batch, or by a flow that resolves one case."""

from collections.abc import Sequence
from contextlib import aclosing

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import TERMINAL_STATES

from hitl_prefect.detached.asked import KEY
from hitl_prefect.inbox import pages_where
from hitl_prefect.many.batch import Batch
from hitl_prefect.run_pages import Run
from hitl_prefect.signposts import WAITING, batch_tag, tags_of

__all__ = ["pass_over_asked"]

_AT_A_TIME = 500
"""Cases per look into the ledger; a form may answer a thousand."""


async def pass_over_asked(client: PrefectClient, batch: Batch) -> None:
    """Mark the cases that an earlier batch or another run asks about: neither the model nor people are asked again.

    Called before the store is looked at, where what is decided in between is found.
    """
    if not batch.ledger.has_unasked():
        return
    ended = [kind.value for kind in TERMINAL_STATES]
    wanted = {"tags": {"all_": tags_of(batch.wanted.task)}, "state": {"type": {"not_any_": ended}}}
    async with aclosing(pages_where(client, wanted)) as pages:
        async for page in pages:
            _pass_over(batch, [case_id for run in page for case_id in _about(run, batch)])
            if not batch.ledger.has_unasked():
                return


def _pass_over(batch: Batch, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), _AT_A_TIME):
        batch.ledger.settle(batch.ledger.unasked(ids[start : start + _AT_A_TIME]), "waiting_before")


def _about(run: Run, batch: Batch) -> Sequence[str]:
    """The ids of the cases that a run asks about, unless it is a review of this very batch or for another store."""
    if (run["idempotency_key"] or "").startswith(KEY):
        # Until it has ended, also where it was answered: its outcome is not stored yet.
        given = run["parameters"]
        is_other = batch_tag(batch.name) not in run["tags"] and given.get("store") == batch.wanted.store
        return (given.get("case", ""), *given.get("members", ())) if is_other else ()
    label = run["labels"]
    waits = WAITING in run["tags"] and label.get("hitl.task") == batch.wanted.task
    return (label.get("hitl.case", ""),) if waits else ()
