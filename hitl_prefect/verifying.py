"""Whether what is stored is what was decided: bytes, keys, signatures, and that the verdicts lead to what shipped.

Who can write to the store can remove an outcome together with its index entry: a clean report speaks for what is there.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue, ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.canonical import sha256_of
from hitl_prefect.configured import policy_of
from hitl_prefect.errors import ConfigError, ObjectMissing
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcome_checks import CHECKS, Check, Policies, Stored
from hitl_prefect.outcomes import IndexEntry, Outcome, index_prefix, outcome_prefix
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import calibrated_tasks, read_versions
from hitl_prefect.protocols import Store

__all__ = ["Finding", "Verification", "afind_policies", "verify_store"]


_UNNAMED = "no index entry names it: it was put there by other means, or its entry is gone"


class Finding(Frozen):
    """Something in a store that is not as it was written."""

    key: str
    problem: str


class Verification(Frozen):
    """What was looked at in a store, and what was found."""

    outcomes: int
    signatures: int
    """Signatures that are their reviewer's own."""
    unchecked: int
    """Signatures without a policy that holds their reviewer's key: they say nothing."""
    findings: tuple[Finding, ...] = ()


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


def verify_store(store: Store, policies: Policies, *, task: str | None = None) -> Verification:
    """Check every outcome of a store.

    Args:
        store: Where outcomes are kept; it is only read.
        policies: By version. With none, signatures are not checked; with some, an outcome of another is a finding.
        task: Only this task's outcomes.

    Raises:
        StoreError: If the store does not answer.
    """
    # Outcomes are listed before the index: an outcome is written after its entry, so none that is listed lacks it yet.
    outcomes = set(store.keys(outcome_prefix(task)))
    policies = {**policies, **_with_their_bars(store, policies, task)}
    named: set[str] = set()
    findings: list[Finding] = []
    states: list[str] = []
    for index in store.keys(index_prefix(task)):
        read = _read(store, index, policies)
        if isinstance(read, Finding):
            findings.append(read)
            named.add(read.key)
        else:
            findings += _checked(read)
            named.add(read.entry.key)
            states += [read.state_of(one) for one in read.said]
    return Verification(
        outcomes=len(outcomes),
        signatures=states.count("good"),
        unchecked=states.count("unknown"),
        findings=(*findings, *(Finding(key=key, problem=_UNNAMED) for key in sorted(outcomes - named))),
    )


def _with_their_bars(store: Store, policies: Policies, task: str | None) -> dict[str, Policy]:
    """Policies with a risk budget as flow runs began with them: with each version that stands in the store."""
    budgets = [one for one in policies.values() if one.promise is not None and one.calibrated is None]
    tasks = ([task] if task else calibrated_tasks(store)) if budgets else []
    versions = [version for name in tasks for version in read_versions(store, name)]
    pinned = [one.with_calibrated(version) for one in budgets for version in versions]
    return {one.version: one for one in pinned}


def _checked(stored: Stored) -> list[Finding]:
    problems = (problem for check in CHECKS for problem in _problems(check, stored))
    return [Finding(key=stored.entry.key, problem=problem) for problem in problems]


def _problems(check: Check, stored: Stored) -> list[str]:
    """Whatever somebody has put there, the other checks and the other outcomes are still gone through."""
    try:
        return list(check(stored))
    except ValueError as exc:
        return [f"it cannot be gone through again: {'; '.join(problems_of(exc))}"]
    except ConfigError as exc:
        return [f"it cannot be gone through again: {exc}"]


def _read(store: Store, index: str, policies: Policies) -> Stored | Finding:
    try:
        entry = IndexEntry.model_validate_json(store.get(index))
    except ValidationError as exc:
        return Finding(key=index, problem=f"it is no index entry: {'; '.join(problems_of(exc))}")
    try:
        body = store.get(entry.key)
    except ObjectMissing:
        return Finding(key=entry.key, problem=f"{index} names it, and it is not there: lost, or just being written")
    except ConfigError as exc:
        return Finding(key=index, problem=f"it names no outcome: {exc}")
    try:
        outcome = Outcome[JsonValue].model_validate_json(body)
    except ValidationError as exc:
        return Finding(key=entry.key, problem=f"it is no outcome: {'; '.join(problems_of(exc))}")
    return Stored(index, entry, body, outcome, policies)


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
