"""`hitl forget`."""

import asyncio
import getpass
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside
from hitl_prefect.configured import store_of
from hitl_prefect.connecting import open_client
from hitl_prefect.errors import ConfigError, ServerUnreachable
from hitl_prefect.forgetting import Forgetting, Wish
from hitl_prefect.forgetting import forget as forget_case
from hitl_prefect.forgetting_runs import ForgottenRun, aforget_run
from hitl_prefect.inert import visible
from hitl_prefect.keys import private_key
from hitl_prefect.shares import counted
from hitl_prefect.tombstones import Tombstone, count_forgotten

__all__ = ["forget", "tell_forgotten"]

_Flag = Annotated[bool, Parameter(negative=())]


async def forget(
    case: str,
    *,
    store: str,
    task: str,
    reason: str,
    by: str | None = None,
    key: str | None = None,
    bypass_governance: _Flag = False,
    dry_run: _Flag = False,
    yes: _Flag = False,
    json: AsJson = False,
) -> int:
    """Forget a case: a tombstone in place of its outcome, and its copies and its flow run are deleted.

    Exit code 1 where something of it remains, which is named.

    Args:
        case: The id of the case.
        store: Where its outcome is: folder: path, s3:// URL, or the name of a saved block.
        task: The task of the case.
        reason: Why; it is kept, so name a ticket and no person.
        by: Who forgets it; whoever is logged in, if empty.
        key: The name of the key that signs the tombstone; as for hitl seal.
        bypass_governance: Also delete versions that an object lock in governance mode holds.
        dry_run: Only say what would be done.
        yes: Do not ask.
        json: Print JSON.
    """
    source, signer = await store_of(store), private_key(key) if key else None
    wish = Wish(task=task, case=case, by=by or getpass.getuser(), reason=reason, at=datetime.now(UTC))
    planned = await asyncio.to_thread(forget_case, source, wish, key=signer, dry_run=True)
    if not json:
        _tell_plan(planned)
    if dry_run or not (yes or _is_meant(case)):
        return _end(planned, None, json=json)
    done = await asyncio.to_thread(forget_case, source, wish, key=signer, bypass_governance=bypass_governance)
    return _end(done, await _run_of(done.tombstone), json=json)


async def tell_forgotten(store: str, task: str | None = None) -> None:
    """Say how many cases a command has left out because they were forgotten; nothing where none was."""
    count = await asyncio.to_thread(count_forgotten, await store_of(store), task)
    if count:
        say_aside(f"Left out: {counted(count, 'case')} that people had forgotten.")


async def _run_of(tombstone: Tombstone) -> ForgottenRun | str:
    """What became of its flow run; or why nobody could ask."""
    try:
        async with open_client() as client:
            return await aforget_run(client, tombstone)
    except ServerUnreachable as exc:
        return str(exc)


def _is_meant(case: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("without a terminal nobody can be asked: give --yes, or --dry-run")
    return input(f"Forget case {visible(case)} for good? It cannot be brought back. [y/N] ").strip().lower() == "y"


def _tell_plan(planned: Forgetting) -> None:
    for key in planned.erased:
        say(f"{'tombstone' if key == planned.tombstone.key else 'delete':9}  {visible(key)}")
    if planned.tombstone.flow_run_id:
        say(f"{'delete':9}  flow run {visible(planned.tombstone.flow_run_id)}, its rows and artifacts")


def _end(done: Forgetting, run: ForgottenRun | str | None, *, json: bool) -> int:
    """Print how it went; the exit code."""
    remains = list(_remains(done, run))
    if json:
        print_json({"forgetting": done, "run": run, "remains": remains})
    else:
        for one in remains:
            say_aside(f"Remains: {one}")
        say("Nothing was forgotten." if run is None else f"Case {visible(done.tombstone.case)} is forgotten.")
    return int(bool(remains) and run is not None)


def _remains(done: Forgetting, run: ForgottenRun | str | None) -> Iterator[str]:
    for key in done.shared:
        yield f"{visible(key)} names it beside other cases: delete it by hand, where it is not needed"
    for key in done.locked:
        yield f"{visible(key)}: versions of it stay: an object lock holds them, or these keys may not delete versions"
    if isinstance(run, str):
        yield f"flow run {done.tombstone.flow_run_id} in Prefect: {run}"
    elif run is not None and run.now in ("shared", "running", "unknown"):
        yield _RUNS[run.now].format(run.run_id)


_RUNS = {
    "shared": "flow run {} is about other cases too: its parameters, artifacts and logs stay",
    "running": "flow run {} has not ended: cancel it, and run this again",
    "unknown": "the outcome named no flow run: look for one in Prefect",
}
