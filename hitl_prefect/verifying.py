"""Whether what is stored is what was decided: bytes, keys, signatures, ledger, and that verdicts lead to what shipped.

Who can write to the store can remove an outcome together with its index entry: that only the ledger tells, of days that
were sealed before.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue, ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.canonical import sha256_of
from hitl_prefect.configured import policy_of
from hitl_prefect.errors import ConfigError, ObjectMissing, StoreError
from hitl_prefect.frozen import Frozen
from hitl_prefect.ledger_checks import Chain, Finding, Ledger, read_ledger
from hitl_prefect.outcome_checks import CHECKS, Check, Policies, Stored
from hitl_prefect.outcomes import IndexEntry, Outcome, index_prefix, outcome_prefix
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import calibrated_tasks, read_versions
from hitl_prefect.protocols import Store
from hitl_prefect.signatures import SignatureState

__all__ = ["OnProgress", "Verification", "afind_policies", "verify_store"]

OnProgress = Callable[[int, int], None]

_AT_ONCE, _CHUNK = 16, 128
_NOT_THERE = "it is not there: lost, or just being written"
_UNNAMED = "no index entry names it: it was put there by other means, or its entry is gone"


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
    """Check every outcome of a store, and its ledger. One outcome per thread is in memory, and 0.7 kB for each.

    Args:
        store: Where outcomes are kept; it is only read.
        policies: By version. With none, signatures are not checked; with some, an outcome of another is a finding.
        task: Only this task's outcomes.
        ledger_keys: Public keys, one of which must have signed each manifest; with none that is not checked.
        heads: The sha256 of manifests as `hitl seal` told them; each must still be there.
        on_progress: Called with how many outcomes were looked at, and of how many.

    Raises:
        StoreError: If the store does not answer.
    """
    # What is written later is listed earlier, so that nothing that is listed lacks what was there before it: manifests
    # name outcomes that stand, and an outcome is written after its index entry.
    ledger = read_ledger(store, task=task, keys=ledger_keys, heads=heads)
    outcomes = set(store.keys(outcome_prefix(task)))
    look = _Look(store, {**policies, **_with_their_bars(store, policies, task)}, ledger)
    named, findings, states = set[str](), list[Finding](), Counter[SignatureState]()
    for seen in _in_threads(look.at_case, store.keys(index_prefix(task)), on_progress):
        named.add(seen.key)
        findings += seen.findings
        states.update(seen.states)
    for seen in _in_threads(look.at_unnamed, sorted(outcomes - named)):
        findings += seen.findings
    findings += [*ledger.missing(outcomes), *ledger.added(outcomes), *(ledger.without(outcomes) if ledger_keys else ())]
    return Verification(
        outcomes=len(outcomes),
        signatures=states["good"],
        unchecked=states["unknown"],
        findings=(*ledger.findings, *findings),
        ledger=tuple(ledger.chains),
        unsealed=ledger.unsealed(outcomes),
    )


def _in_threads(
    look: Callable[[str], "_Seen"], keys: Sequence[str], on_progress: OnProgress | None = None
) -> Iterator["_Seen"]:
    """Look at objects in their order, a few at a time: reading from a bucket is mostly waiting."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            yield from pool.map(look, chunk)
            if on_progress:
                on_progress(start + len(chunk), len(keys))


class _Seen(NamedTuple):
    """What one look found."""

    key: str
    """Of the outcome; of the index entry where that names none."""
    findings: tuple[Finding, ...] = ()
    states: tuple[SignatureState, ...] = ()


@dataclass(frozen=True)
class _Look:
    """Looks at one outcome; what has a finding is kept, and the outcome is not."""

    store: Store
    policies: Policies
    ledger: Ledger

    def at_case(self, index: str) -> _Seen:
        """At the outcome that an index entry names."""
        try:
            entry = IndexEntry.model_validate_json(self.store.get(index))
        except ValidationError as exc:
            return _found(index, f"it is no index entry: {'; '.join(problems_of(exc))}")
        except StoreError as exc:
            return _found(index, _unless_down(exc))
        try:
            body = self.store.get(entry.key)
        except ObjectMissing:
            # Where a manifest names it too, the ledger tells.
            told = () if entry.key in self.ledger.sealed else (f"{index} names it, and {_NOT_THERE}",)
            return _found(entry.key, *told)
        except ConfigError as exc:
            return _found(index, f"it names no outcome: {exc}")
        except StoreError as exc:
            return _found(entry.key, _unless_down(exc))
        return self._at(index, entry, body)

    def at_unnamed(self, key: str) -> _Seen:
        """At an outcome that no index entry names."""
        try:
            changed = self._ledgers_problem(key, self.store.get(key)) if key in self.ledger.sealed else ()
        except StoreError as exc:
            changed = (_unless_down(exc),)
        return _found(key, _UNNAMED, *changed)

    def _at(self, index: str, entry: IndexEntry, body: bytes) -> _Seen:
        changed = self._ledgers_problem(entry.key, body)
        try:
            outcome = Outcome[JsonValue].model_validate_json(body)
        except ValidationError as exc:
            return _found(entry.key, f"it is no outcome: {'; '.join(problems_of(exc))}", *changed)
        stored = Stored(index, entry, body, outcome, self.policies)
        states = tuple(stored.state_of(one) for one in stored.said)
        return _found(entry.key, *_checked(stored), *changed)._replace(states=states)

    def _ledgers_problem(self, key: str, body: bytes) -> tuple[str, ...]:
        problem = self.ledger.problem_of(key, hashlib.sha256(body).hexdigest())
        return (problem,) if problem else ()


def _found(key: str, *problems: str) -> _Seen:
    return _Seen(key, tuple(Finding(key=key, problem=one) for one in problems))


def _unless_down(exc: StoreError) -> str:
    """What is wrong with an object; of a store that is down nobody knows."""
    if exc.retryable:
        raise exc
    return str(exc)


def _with_their_bars(store: Store, policies: Policies, task: str | None) -> dict[str, Policy]:
    """Policies with a risk budget as flow runs began with them: with each version that stands in the store."""
    budgets = [one for one in policies.values() if one.promise is not None and one.calibrated is None]
    tasks = ([task] if task else calibrated_tasks(store)) if budgets else []
    versions = [version for name in tasks for version in read_versions(store, name)]
    pinned = [one.with_calibrated(version) for one in budgets for version in versions]
    return {one.version: one for one in pinned}


def _checked(stored: Stored) -> list[str]:
    return [problem for check in CHECKS for problem in _problems(check, stored)]


def _problems(check: Check, stored: Stored) -> list[str]:
    """Whatever somebody has put there, the other checks and the other outcomes are still gone through."""
    try:
        return list(check(stored))
    except ValueError as exc:
        return [f"it cannot be gone through again: {'; '.join(problems_of(exc))}"]
    except ConfigError as exc:
        return [f"it cannot be gone through again: {exc}"]


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
