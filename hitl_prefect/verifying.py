"""Whether what is stored is what was decided: bytes, keys, signatures, ledger, and that verdicts lead to what shipped.

Who can write to the store can remove an outcome together with its index entry: that only the ledger tells, of days that
were sealed before.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.canonical import sha256_of
from hitl_prefect.configured import policy_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.ledger_checks import Chain, Finding, read_ledger
from hitl_prefect.looking import Look, Seen
from hitl_prefect.outcome_checks import Policies
from hitl_prefect.outcomes import index_prefix, outcome_prefix
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import calibrated_tasks, read_versions
from hitl_prefect.protocols import Store
from hitl_prefect.signatures import SignatureState
from hitl_prefect.tombstones import Tombstone, forgotten_prefix, outcome_key_of

__all__ = ["OnProgress", "Verification", "afind_policies", "verify_store"]

OnProgress = Callable[[int, int], None]

_AT_ONCE, _CHUNK = 16, 128
_HALF_FORGOTTEN = "the case was to be forgotten, and its outcome still stands: run `hitl forget` again"


class Verification(Frozen):
    """What was looked at in a store, and what was found."""

    outcomes: int
    signatures: int
    """Signatures that are their reviewer's own."""
    unchecked: int
    """Signatures without a policy that holds their reviewer's key: they say nothing."""
    findings: tuple[Finding, ...] = ()
    ledger: tuple[Chain, ...] = ()
    """Of each task that has one."""
    unsealed: int = 0
    """Outcomes that no manifest names, where their task has a ledger: those of today, and those that came late."""
    forgotten: tuple[Tombstone, ...] = ()
    """Of cases that were forgotten on request."""


async def afind_policies(names: Iterable[str]) -> dict[str, Policy]:
    """Policies by their versions.

    Args:
        names: JSON files, as `Policy.model_dump_json()` writes them, or names of saved policy blocks; only a block
            needs a Prefect server.

    Raises:
        ConfigError: If there is no such file or block, or it holds no policy.
    """
    found: dict[str, Policy] = {}
    for name in names:
        if _is_file(name):
            found |= _from_file(Path(name))
        else:
            policy = await policy_of(name)
            found[policy.version] = policy
    return found


def verify_store(
    store: Store,
    policies: Policies,
    *,
    task: str | None = None,
    ledger_keys: Sequence[str] = (),
    heads: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> Verification:
    """Check every outcome of a store, and its ledger. One outcome per thread is in memory, and about 1 kB for each.

    Args:
        store: Where outcomes are kept; it is only read.
        policies: By version. With none, signatures are not checked; with some, an outcome of another is a finding.
        task: Only this task's outcomes.
        ledger_keys: Public keys, one of which must have signed each manifest; with none that is not checked.
        heads: The sha256 of manifests as `hitl seal` told them; each must still be there, in the ledger of any task.
        on_progress: Called with how many outcomes were looked at, and of how many.

    Raises:
        ConfigError: If a head is no sha256.
        StoreError: If the store does not answer.
    """
    # What is written later is listed earlier, so that nothing that is listed lacks what was there before it: manifests
    # name outcomes that stand, and an outcome is written after its index entry.
    ledger = read_ledger(store, task=task, keys=ledger_keys, heads=heads)
    outcomes = set(store.keys(outcome_prefix(task)))
    look = Look(store, {**policies, **_with_their_bars(store, policies, task)}, ledger, tuple(ledger_keys))
    named, gone, findings, states = set[str](), set[str](), list[Finding](), Counter[SignatureState]()
    forgotten: list[Tombstone] = []
    for seen in _in_threads(look.at_case, store.keys(index_prefix(task)), on_progress):
        named.add(seen.key)
        findings += seen.findings
        states.update(seen.states)
        forgotten += [seen.tombstone] if seen.tombstone else []
        gone |= {seen.key} if seen.is_gone else set()
    for seen in _in_threads(look.at_unnamed, sorted(outcomes - named)):
        findings += seen.findings
        gone |= {seen.key} if seen.is_gone else set()
    # What is listed does not stand there for sure: a link that leads nowhere, or what was deleted meanwhile.
    outcomes -= gone
    findings += _half_forgotten(store, task, forgotten)
    findings += [*ledger.missing(outcomes), *ledger.added(outcomes), *(ledger.without(outcomes) if ledger_keys else ())]
    return Verification(
        outcomes=len(outcomes) - len(forgotten),
        signatures=states["good"],
        unchecked=states["unknown"],
        findings=(*ledger.findings, *findings),
        ledger=tuple(ledger.chains),
        unsealed=ledger.unsealed(outcomes),
        forgotten=tuple(forgotten),
    )


def _half_forgotten(store: Store, task: str | None, forgotten: Sequence[Tombstone]) -> list[Finding]:
    """Tombstones beside outcomes that still stand."""
    gone = {one.key for one in forgotten}
    beside = (key for key in store.keys(forgotten_prefix(task)) if outcome_key_of(key) not in gone)
    return [Finding(key=key, problem=_HALF_FORGOTTEN) for key in beside]


def _in_threads(
    look: Callable[[str], Seen], keys: Sequence[str], on_progress: OnProgress | None = None
) -> Iterator[Seen]:
    """Look at objects in their order, a few at a time: reading from a bucket is mostly waiting."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            yield from pool.map(look, chunk)
            if on_progress:
                on_progress(start + len(chunk), len(keys))


def _with_their_bars(store: Store, policies: Policies, task: str | None) -> dict[str, Policy]:
    """Policies with a risk budget as flow runs began with them: with each version that stands in the store."""
    budgets = [one for one in policies.values() if one.promise is not None and one.calibrated is None]
    tasks = ([task] if task else calibrated_tasks(store)) if budgets else []
    versions = [version for name in tasks for version in read_versions(store, name)]
    pinned = [one.with_calibrated(version) for one in budgets for version in versions]
    return {one.version: one for one in pinned}


def _is_file(name: str) -> bool:
    return name.endswith(".json") or Path(name).is_file()


def _from_file(path: Path) -> dict[str, Policy]:
    """A policy's version is that of the release that wrote the file: a later one may know more fields."""
    try:
        text = path.read_text("utf-8")
        policy = Policy.model_validate_json(text)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"policy {str(path)!r} cannot be read: {exc}") from exc
    except ValidationError as exc:
        raise ConfigError(f"{str(path)!r} holds no policy: {'; '.join(problems_of(exc))}") from exc
    return {policy.version: policy, sha256_of(json.loads(text))[:12]: policy}
