"""A look at one outcome of a store, and what is found: for `hitl verify`."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import JsonValue, ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.errors import ConfigError, ObjectMissing, StoreError
from hitl_prefect.ledger_checks import Finding, Ledger
from hitl_prefect.outcome_checks import CHECKS, Check, Policies, Stored
from hitl_prefect.outcomes import IndexEntry, Outcome, index_key
from hitl_prefect.protocols import Store
from hitl_prefect.signatures import SignatureState
from hitl_prefect.tombstones import Tombstone, forgotten_key, tombstone_of

__all__ = ["Look", "Seen"]

_NOT_THERE = "it is not there: lost, or just being written"
_OTHER_BYTES = "its tombstone has other bytes than `hitl forget` writes: it was changed, or something was hidden in it"
_UNNAMED = "no index entry names it: it was put there by other means, or its entry is gone"


class Seen(NamedTuple):
    """What one look found."""

    key: str
    """Of the outcome; of the index entry where that names none."""
    findings: tuple[Finding, ...] = ()
    states: tuple[SignatureState, ...] = ()
    tombstone: Tombstone | None = None
    is_gone: bool = False
    """Whether nothing stood under the key when it was read, whatever a listing says."""


@dataclass(frozen=True)
class Look:
    """Looks at one outcome; what has a finding is kept, and the outcome is not."""

    store: Store
    policies: Policies
    ledger: Ledger
    keys: tuple[str, ...]

    def at_case(self, index: str) -> Seen:
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
            # Where a manifest names it too, `Ledger.missing` tells.
            told = () if entry.key in self.ledger.sealed else (f"{index} names it, and {_NOT_THERE}",)
            return _found(entry.key, *told)._replace(is_gone=True)
        except ConfigError as exc:
            return _found(index, f"it names no outcome: {exc}")
        except StoreError as exc:
            return _found(entry.key, _unless_down(exc))
        return self._at(index, entry, body)

    def at_unnamed(self, key: str) -> Seen:
        """At an outcome that no index entry names."""
        try:
            changed = self._ledgers_problem(key, self.store.get(key)) if key in self.ledger.sealed else ()
        except ObjectMissing:
            return _found(key, _UNNAMED)._replace(is_gone=True)
        except StoreError as exc:
            changed = (_unless_down(exc),)
        return _found(key, _UNNAMED, *changed)

    def _at(self, index: str, entry: IndexEntry, body: bytes) -> Seen:
        if tombstone := tombstone_of(body):
            seen = self._at_tombstone(tombstone, index, entry)
            # White space, or a name that stands twice, can hide anything from whoever only reads what it means.
            other = () if body == tombstone.stored else _found(entry.key, _OTHER_BYTES).findings
            return seen._replace(findings=(*seen.findings, *other))
        changed = self._ledgers_problem(entry.key, body)
        try:
            outcome = Outcome[JsonValue].model_validate_json(body)
        except ValidationError as exc:
            return _found(entry.key, f"it is no outcome: {'; '.join(problems_of(exc))}", *changed)
        stored = Stored(index, entry, body, outcome, self.policies)
        states = tuple(stored.state_of(one) for one in stored.said)
        return _found(entry.key, *_checked(stored), *changed)._replace(states=states)

    def _at_tombstone(self, tombstone: Tombstone, index: str, entry: IndexEntry) -> Seen:
        """At one in place of an outcome; the ledger names whichever stood there when its day was sealed."""
        ever = (tombstone.sha256, tombstone.outcome_sha256, tombstone.unsigned.sha256)
        sealed = [self.ledger.problem_of(entry.key, sha256) for sha256 in ever]
        unsigned = tombstone.why_unsigned(self.keys)
        place = (tombstone.key, index_key(tombstone.task, tombstone.case), tombstone.outcome_sha256)
        problems = (
            sealed[1] if all(sealed) else None,
            f"its tombstone does not count: {unsigned}" if unsigned else None,
            None if place == (entry.key, index, entry.sha256) else "its tombstone is that of another outcome",
            None if self._stands_beside(tombstone) else "no tombstone stands beside it: it was not `hitl forget`",
        )
        return _found(entry.key, *(one for one in problems if one))._replace(tombstone=tombstone)

    def _stands_beside(self, tombstone: Tombstone) -> bool:
        try:
            return self.store.get(forgotten_key(tombstone.key)) == tombstone.stored
        except (ObjectMissing, ConfigError):
            return False

    def _ledgers_problem(self, key: str, body: bytes) -> tuple[str, ...]:
        problem = self.ledger.problem_of(key, hashlib.sha256(body).hexdigest())
        return (problem,) if problem else ()


def _found(key: str, *problems: str) -> Seen:
    return Seen(key, tuple(Finding(key=key, problem=one) for one in problems))


def _unless_down(exc: StoreError) -> str:
    """What is wrong with an object; of a store that is down nobody knows."""
    if exc.retryable:
        raise exc
    return str(exc)


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
