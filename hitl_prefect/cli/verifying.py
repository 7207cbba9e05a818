"""`hitl verify`."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.cli.printing import AsJson, one_line, print_json, progress, say, say_aside, table
from hitl_prefect.configured import store_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.inert import visible
from hitl_prefect.keys import key_files
from hitl_prefect.ledger_checks import Chain
from hitl_prefect.shares import counted
from hitl_prefect.signing import check_public_key
from hitl_prefect.verifying import Verification, afind_policies, verify_store

__all__ = ["verify"]


async def verify(
    store: str,
    *,
    policy: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    task: str | None = None,
    ledger_key: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    head: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    json: AsJson = False,
) -> int:
    """Check that stored outcomes are what was decided and signed; exit code 1 where one is not.

    It needs no network and no Prefect server for a folder: copy and policies that are JSON files.

    Args:
        store: folder: path, s3:// URL, or the name of a saved block.
        policy: A policy that outcomes were made under, as a JSON file or the name of a saved block; repeat it. Its
            keys check the signatures.
        task: Only this task's outcomes.
        ledger_key: A public key that must have signed the ledger, as `hitl keys list` shows it, or the name of a key on
            this machine; repeat it where keys have changed.
        head: The sha256 of a manifest, as `hitl seal` printed it: it must still be there. Repeat it.
        json: Print JSON.
    """
    source = await store_of(store)
    policies = await afind_policies(policy)
    keys = [_public_key(one) for one in ledger_key]
    with progress("outcomes") as told:
        found = await asyncio.to_thread(
            verify_store, source, policies, task=task, ledger_keys=keys, heads=head, on_progress=told
        )
    if not (found.outcomes or found.findings or found.forgotten):
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
    for chain in found.ledger:
        say(_ledger_line(chain))
    for one in found.forgotten:
        key, by, why = one_line(one.key), one_line(one.by), one_line(one.reason)
        say(f"Forgotten: {key}, on {one.forgotten_at:%Y-%m-%d} by {by}: {why}")
    if found.unsealed:
        say_aside(f"Not sealed yet: {counted(found.unsealed, 'outcome')}.")
    if found.unchecked:
        unchecked = counted(found.unchecked, "signature")
        say_aside(f"Not checked: {unchecked}. Give the policy with their reviewers' keys (--policy).")


def _ledger_line(chain: Chain) -> str:
    late = f", {chain.late:,} of them late" if chain.late else ""
    sealed = f"{counted(chain.manifests, 'manifest')}, {chain.signed:,} with a good signature"
    return f"Ledger of {visible(chain.task)}: {counted(chain.sealed, 'outcome')}{late}, {sealed}. Head {chain.head}"


def _public_key(text: str) -> str:
    """A public key that was given, or that of a key file of this machine.

    Raises:
        ConfigError: If it is neither.
    """
    try:
        check_public_key(text)
    except ValueError as exc:
        named = {one.name: one.public_key for one in key_files()}
        if text not in named:
            raise ConfigError(f"--ledger-key {visible(text)!r}: no key of this name is here, and {exc}") from None
        return named[text]
    return text
