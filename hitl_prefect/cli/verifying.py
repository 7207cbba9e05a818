"""`hitl verify`."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside, table
from hitl_prefect.configured import store_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.inert import visible
from hitl_prefect.shares import counted
from hitl_prefect.verifying import Verification, afind_policies, verify_store

__all__ = ["verify"]


async def verify(
    store: str,
    *,
    policy: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    task: str | None = None,
    json: AsJson = False,
) -> int:
    """Check that stored outcomes are what was decided and signed; exit code 1 where one is not.

    Args:
        store: folder: path, s3:// URL, or the name of a saved block.
        policy: A policy that outcomes were made under, as a JSON file or the name of a saved block; repeat it. Its
            keys check the signatures.
        task: Only this task's outcomes.
        json: Print JSON.
    """
    source = await store_of(store)
    policies = await afind_policies(policy)
    found = await asyncio.to_thread(verify_store, source, policies, task=task)
    if not found.outcomes and not found.findings:
        raise ConfigError(
            f"no outcome is stored in {source.url}{f' for task {task!r}' if task else ''}: is it the right store?"
        )
    if json:
        print_json(found)
    else:
        _tell(found)
    return int(bool(found.findings))


def _tell(found: Verification) -> None:
    if found.findings:
        say(table([{"object": visible(one.key), "finding": visible(one.problem)} for one in found.findings]))
    good, findings = counted(found.signatures, "good signature"), counted(len(found.findings), "finding")
    say(f"{counted(found.outcomes, 'outcome')}, {good}, {findings}.")
    if found.unchecked:
        unchecked = counted(found.unchecked, "signature")
        say_aside(f"Not checked: {unchecked}. Give the policy with their reviewers' keys (--policy).")
