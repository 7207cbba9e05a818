"""What a flow run holds of the batches that it resolves: rows for whoever settles their reviews, and whoever waits."""

import re
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.canonical import sha256_of
from hitl_prefect.journal import create_row, read_row, rows_of

__all__ = ["abegin_batch", "aleave_summary", "anote_told", "asummaries", "auntold"]

_BEGUN = "hitl-batch-begun-"
"""Begins the row that says that a run resolves the batch: until it ends, its summary is that of an earlier run."""
_SUMMARY = "hitl-batch-summary-"
"""Begins the row of a batch's summary; once it is there, all reviews of the batch are open."""
_ENDED = "hitl-batch-ended-"
"""Begins the row that says that the end has been told which a summary describes."""


async def abegin_batch(client: PrefectClient, run_id: UUID, batch: str) -> None:
    """Let nothing be told of the batch's end until a summary is left: not all of its reviews are open."""
    await create_row(client, run_id, f"{_BEGUN}{batch}", "{}")


async def aleave_summary(client: PrefectClient, run_id: UUID, summary: BatchSummary) -> None:
    """Leave the summary of a batch whose reviews are all open, in place of what stands there of it."""
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


async def auntold(client: PrefectClient, run_id: UUID, batch: str) -> BatchSummary | None:
    """The summary of a batch whose end is still to be told; `None` while a run resolves the batch."""
    left = (await asummaries(client, run_id)).get(batch)
    if left is None or await read_row(client, run_id, f"{_BEGUN}{batch}"):
        return None
    return None if await read_row(client, run_id, _key(_ENDED, left)) else left


async def anote_told(client: PrefectClient, run_id: UUID, summary: BatchSummary) -> bool:
    """Note that the end has been told which a summary describes; whether nobody had noted it."""
    return await create_row(client, run_id, _key(_ENDED, summary), "{}")


def _key(begins: str, summary: BatchSummary) -> str:
    # The batch comes last: its name may hold dashes, and Prefect takes nothing else between two words.
    return f"{begins}{sha256_of(summary)[:16]}-{summary.batch}"


def _is_of(key: str, batch: str) -> bool:
    return re.fullmatch(rf"(?:{_BEGUN}|(?:{_SUMMARY}|{_ENDED})[0-9a-f]{{16}}-){batch}", key) is not None
