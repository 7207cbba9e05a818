"""What is said when every case of a batch has come to something."""

from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.runtime import flow_run

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.detached.batch_ends import artifact_key, atell_batch_end
from hitl_prefect.detached.batch_rows import aleave_summary
from hitl_prefect.errors import ProviderError, ReviewError
from hitl_prefect.many.batch import Batch

__all__ = ["end", "summary_of"]

_SHOWN = 10
"""How many failed cases are named in the log."""


def summary_of(batch: Batch, bad_lines: int, seconds: float) -> BatchSummary:
    """What the ledger says, in numbers."""
    counts = batch.ledger.counts()
    names = ("accepted", "over_budget", "held", "failed")
    return BatchSummary(
        batch=batch.name,
        task=batch.wanted.task,
        cases=sum(counts.values()),
        reviews=counts.get("opened", 0),
        forms=batch.ledger.forms(),
        bad_lines=bad_lines,
        cost_usd=batch.ledger.cost_usd(),
        seconds=round(seconds, 3),
        **batch.ledger.counts_before(),
        **{name: counts.get(name, 0) for name in names},
    )


async def end(client: PrefectClient, batch: Batch, summary: BatchSummary) -> BatchSummary:
    """Show the summary, and leave it where the last review finds it.

    Raises:
        ProviderError: If every case that was asked about has failed.
        ReviewError: If nothing has come of a case.
    """
    _tell_failures(batch, summary)
    if summary.left:
        raise ReviewError(
            f"batch {batch.name}: nothing has come of {summary.left} of {summary.cases} cases; run it again, and tell "
            f"the authors of this package: its ledger {batch.ledger.path} holds them"
        )
    made = ArtifactCreate(
        key=artifact_key(batch.name),
        type="markdown",
        data=summary.markdown(),
        description=f"Batch {batch.name} of {summary.task}",
        flow_run_id=UUID(str(flow_run.id)),
    )
    await client.create_artifact(made)
    # In the run that began the batch, whose reviews name it; and in this one, for whoever waits for it to end.
    for run_id in dict.fromkeys((batch.run_id, str(flow_run.id))):
        await aleave_summary(client, UUID(run_id), summary)
    await atell_batch_end(client, batch.run_id, batch.name)
    return summary


def _tell_failures(batch: Batch, summary: BatchSummary) -> None:
    if not summary.failed:
        return
    first = batch.ledger.problems(_SHOWN)
    for number, case_id, problem in first:
        get_run_logger().warning("line %d, case %s failed: %s", number, case_id, problem)
    if summary.failed == summary.cases - summary.decided_before - summary.waiting_before:
        raise ProviderError(f"all {summary.failed} cases failed, the first one: {first[0][2]}")
    get_run_logger().warning("%d cases failed; run the batch again to ask about them", summary.failed)
