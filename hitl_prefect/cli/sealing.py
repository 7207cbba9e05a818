"""`hitl seal`."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.cli.printing import AsJson, print_json, say, say_unreadable, table
from hitl_prefect.configured import store_of
from hitl_prefect.keys import private_key
from hitl_prefect.sealing import Sealed, Sealing
from hitl_prefect.sealing import seal as seal_store
from hitl_prefect.shares import counted

__all__ = ["seal"]


async def seal(
    store: str,
    *,
    task: str | None = None,
    key: str | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
) -> int:
    """Name the outcomes of past days in the ledger, so that `hitl verify` finds any change.

    Exit code 1 where an outcome could not be read.

    Args:
        store: folder: path, s3:// URL, or the name of a saved block.
        task: Only the outcomes of one task.
        key: The name of the key that signs, as `hitl keys make` made it on this machine.
        dry_run: Only say what would be sealed.
        json: Print JSON.
    """
    source, signer = await store_of(store), private_key(key) if key else None
    done = await asyncio.to_thread(seal_store, source, task=task, key=signer, dry_run=dry_run)
    if json:
        print_json(done)
    else:
        _tell(done, dry_run=dry_run)
    return int(bool(done.unreadable))


def _tell(done: Sealing, *, dry_run: bool) -> None:
    say_unreadable(done.unreadable)
    if done.manifests:
        say(table([_row(one) for one in done.manifests]))
    outcomes = counted(sum(one.outcomes for one in done.manifests), "outcome")
    would = "would be sealed" if dry_run else "are sealed now"
    say(f"{outcomes} {would}." if done.manifests else "Every past day is sealed.")


def _row(one: Sealed) -> dict[str, object]:
    late = "yes" if one.late else "no"
    return {"task": one.task, "day": one.day, "outcomes": f"{one.outcomes:,}", "late": late, "sha256": one.sha256}
