"""`hitl compact`."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.cli.printing import AsJson, print_json, say, say_unreadable, table
from hitl_prefect.compacting import Compacted, Compaction
from hitl_prefect.compacting import compact as compact_store
from hitl_prefect.configured import store_of
from hitl_prefect.shares import counted

__all__ = ["compact"]


async def compact(
    *,
    store: str,
    task: str | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
) -> int:
    """Copy the outcomes of past days into Parquet, for quick reading and for SQL; nothing is moved or deleted.

    Args:
        store: Where the outcomes are: folder: path, s3:// URL, or the name of a saved block.
        task: Only the outcomes of one task.
        dry_run: Only say what would be copied.
        json: Print JSON.
    """
    done = await asyncio.to_thread(compact_store, await store_of(store), task=task, dry_run=dry_run)
    if json:
        print_json(done)
    else:
        _tell(done, dry_run=dry_run)
    return 0


def _tell(done: Compaction, *, dry_run: bool) -> None:
    say_unreadable(done.unreadable)
    if done.days:
        say(table([_row(one) for one in done.days]))
    outcomes = counted(sum(one.outcomes for one in done.days), "outcome")
    would = "would be in Parquet" if dry_run else "are in Parquet now"
    say(f"{outcomes} of {counted(len(done.days), 'day')} {would}." if done.days else "Every past day is in Parquet.")


def _row(one: Compacted) -> dict[str, object]:
    size = None if one.size_bytes is None else f"{one.size_bytes:,}"
    return {"task": one.task, "day": one.date, "outcomes": f"{one.outcomes:,}", "bytes": size}
