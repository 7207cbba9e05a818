"""What the ledger of a store says of its outcomes, for `hitl verify`: changed, missing, added, exchanged, cut off."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.manifests import Link, Manifest, ledger_prefix, ledger_tasks, read_chain
from hitl_prefect.outcomes import outcome_prefix
from hitl_prefect.protocols import Store

__all__ = ["Chain", "Finding", "Ledger", "read_ledger"]

_ADDED = "it came after its day was sealed: late, or put there by somebody; `hitl seal` names it in a further manifest"
_NO_LEDGER = "this task has no ledger: no day of it was sealed yet, or the ledger was removed"
_SHA256 = re.compile("[0-9a-f]{64}")
_CUT_OFF = "no manifest has the sha256 {}: the ledger was cut off, or written anew"


class Finding(Frozen):
    """Something in a store that is not as it was written."""

    key: str
    problem: str


class Chain(Frozen):
    """The ledger of one task, as it was found."""

    task: str
    manifests: int
    signed: int
    """How many of them one of the given keys has signed."""
    sealed: int
    """Outcomes that they name."""
    late: int
    """Those among them whose day was sealed before."""
    head: str | None
    """The sha256 of the last manifest. Kept elsewhere it proves later that nothing was cut off behind it."""


class _Seen(NamedTuple):
    sha256: str | None
    is_signed: bool = False
    sealed: int = 0
    late: int = 0


@dataclass
class Ledger:
    """What the manifests of a store name; 150 bytes of memory per outcome, and one manifest at a time."""

    chains: list[Chain] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sealed: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    """Per key the sha256, and the number of the manifest."""
    _until: dict[str, str] = field(default_factory=dict)
    """Per task how the keys of its newest sealed day begin."""

    def problem_of(self, key: str, sha256: str) -> str | None:
        """What is wrong with the bytes under a key; `None` where nothing is, or no manifest names it."""
        if key not in self.sealed or self.sealed[key][0].hex() == sha256:
            return None
        other = self._holders.get(bytes.fromhex(sha256))
        if other is not None:
            return f"it holds what was sealed as {other}: objects were exchanged"
        return f"its bytes are not those that manifest {self.sealed[key][1]} names: it was changed after it was sealed"

    def missing(self, there: Collection[str]) -> Iterator[Finding]:
        """What manifests name and is not there."""
        for key in sorted(self.sealed.keys() - set(there)):
            yield Finding(key=key, problem=f"it is gone: manifest {self.sealed[key][1]} of its task names it")

    def added(self, there: Collection[str]) -> Iterator[Finding]:
        """What came to a sealed day and no manifest names."""
        for key in sorted(set(there) - self.sealed.keys()):
            if key[: key.rfind("/") + 1] <= self._until.get(_task_of(key), ""):
                yield Finding(key=key, problem=_ADDED)

    def unsealed(self, there: Collection[str]) -> int:
        """How many outcomes no manifest names, of tasks that have a ledger."""
        return sum(key not in self.sealed and _task_of(key) in self._until for key in there)

    def without(self, there: Collection[str]) -> Iterator[Finding]:
        """Tasks that have outcomes and no ledger."""
        for task in sorted({_task_of(key) for key in there} - self._until.keys()):
            yield Finding(key=ledger_prefix(task), problem=_NO_LEDGER)

    @cached_property
    def _holders(self) -> dict[bytes, str]:
        return {digest: key for key, (digest, _) in self.sealed.items()}

    def take(self, task: str, links: Iterator[Link], keys: Sequence[str]) -> set[str]:
        """Go through the chain of a task; returns the sha256 of each of its manifests."""
        seen = [self._seen(task, link, keys) for link in links]
        chain = Chain(
            task=task,
            manifests=sum(one.sha256 is not None for one in seen),
            signed=sum(one.is_signed for one in seen),
            sealed=sum(one.sealed for one in seen),
            late=sum(one.late for one in seen),
            head=seen[-1].sha256 if seen else None,
        )
        self.chains.append(chain)
        return {one.sha256 for one in seen if one.sha256}

    def _seen(self, task: str, link: Link, keys: Sequence[str]) -> _Seen:
        manifest = link.manifest
        unsigned = manifest.why_unsigned(keys) if manifest else None
        problems = (*link.problems, *((unsigned,) if unsigned else ()))
        self.findings += [Finding(key=link.key, problem=one) for one in problems]
        if manifest is None:
            return _Seen(link.sha256)
        self._name(task, manifest)
        sealed = len(manifest.objects)
        return _Seen(link.sha256, bool(keys) and not unsigned, sealed, sealed if manifest.late else 0)

    def _name(self, task: str, manifest: Manifest) -> None:
        for one in manifest.objects:
            if one.key in self.sealed:
                problem = f"manifest {self.sealed[one.key][1]} names {one.key} already: one of the two was written anew"
                self.findings.append(Finding(key=manifest.key, problem=problem))
            else:
                self.sealed[one.key] = bytes.fromhex(one.sha256), manifest.number
        day = f"{outcome_prefix(task)}dt={manifest.day}/"
        self._until[task] = max(self._until.get(task, ""), day)


def read_ledger(
    store: Store, *, task: str | None = None, keys: Sequence[str] = (), heads: Sequence[str] = ()
) -> Ledger:
    """Go through every manifest of a store.

    Args:
        store: Where they are.
        task: Only those of one task.
        keys: Public keys; each manifest must be signed by one of them. With none, signatures are not checked.
        heads: The sha256 of manifests as they were told when they were written; each must still be in a chain, of
            whatever task.

    Raises:
        ConfigError: If a head is no sha256.
        StoreError: If the store does not answer.
    """
    ledger, found, sought = Ledger(), set[str](), _sought(heads)
    for name in [task] if task else ledger_tasks(store):
        found |= ledger.take(name, read_chain(store, name), keys)
    if task and not found.issuperset(sought):
        found |= _elsewhere(store, task)
    ledger.findings += [Finding(key="ledger", problem=_CUT_OFF.format(head)) for head in sought if head not in found]
    return ledger


def _sought(heads: Sequence[str]) -> list[str]:
    """Heads as manifests have them; one that was shortened or mistyped must not read as a ledger that was cut off."""
    sought = [head.strip().lower() for head in heads]
    for head in sought:
        if not _SHA256.fullmatch(head):
            raise ConfigError(f"{head!r} is no head of a ledger: give all 64 hexadecimal digits that `hitl seal` told")
    return sought


def _elsewhere(store: Store, task: str) -> set[str]:
    """The sha256 of the manifests of all other tasks."""
    others = (name for name in ledger_tasks(store) if name != task)
    return {link.sha256 for name in others for link in read_chain(store, name) if link.sha256}


def _task_of(key: str) -> str:
    return key.removeprefix(outcome_prefix()).partition("/")[0].removeprefix("task=")
