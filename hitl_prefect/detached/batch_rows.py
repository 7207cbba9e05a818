"""What a flow run holds of the batches that it resolves: rows for whoever settles their reviews, and whoever waits."""

import re
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.canonical import sha256_of
from hitl_prefect.journal import create_row, read_row, rows_of

__all__ = ["ais_told", "aleave_summary", "anote_told", "asummaries"]

_SUMMARY = "hitl-batch-summary-"
"""Begins the row of a batch's summary; once it is there, all reviews of the batch are open."""
_ENDED = "hitl-batch-ended-"
"""Begins the row that says that the end has been told which a summary describes."""


async def aleave_summary(client: PrefectClient, run_id: UUID, summary: BatchSummary) -> None:
    """Leave the summary of a batch whose reviews are all open, in place of the one that stands there."""
    key = _key(_SUMMARY, summary)
    before = [row async for row in rows_of(client, run_id, "hitl-batch-") if _is_of(row.key, summary.batch)]
    # The new one first, so that whoever waits finds one at any time.
    await create_row(client, run_id, key, summary.model_dump_json())
    for row in before:
        if row.key != key:
            await client.delete_flow_run_input(run_id, row.key)


async def asummaries(client: PrefectClient, run_id: UUID) -> dict[str, BatchSummary]:
    """The summaries that a flow run holds, by batch: of each batch the newest."""
    rows = [BatchSummary.model_validate_json(row.value) async for row in rows_of(client, run_id, _SUMMARY)]
    return {one.batch: one for one in rows}


async def ais_told(client: PrefectClient, run_id: UUID, summary: BatchSummary) -> bool:
    """Whether the end that a summary describes has been told."""
    return await read_row(client, run_id, _key(_ENDED, summary)) is not None


async def anote_told(client: PrefectClient, run_id: UUID, summary: BatchSummary) -> bool:
    """Note that it has been told; whether nobody had noted it."""
    return await create_row(client, run_id, _key(_ENDED, summary), "{}")


def _key(begins: str, summary: BatchSummary) -> str:
    # The batch comes last: its name may hold dashes, and Prefect takes nothing else between two words.
    return f"{begins}{sha256_of(summary)[:16]}-{summary.batch}"


def _is_of(key: str, batch: str) -> bool:
    return re.fullmatch(rf"(?:{_SUMMARY}|{_ENDED})[0-9a-f]{{16}}-{batch}", key) is not None
