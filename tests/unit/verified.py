"""Stores whose outcomes are verified, and what is found in them."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.outcomes import IndexEntry, Outcome, index_key, outcome_key
from hitl_prefect.signatures import statement_of
from hitl_prefect.signing import sign_verdict
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.verifying import verify_store
from tests.unit.making import a_review, a_route, a_verdict, an_outcome
from tests.unit.test_policy_versions import FOUND
from tests.unit.test_signing import ADA, POLICY

EVE, SUE = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
IN_FORCE = FOUND.model_copy(update={"bar": 0.8})
KNOWN = {POLICY.version: POLICY}
TO_A_PERSON = a_route(action="review", reason="below_bar", propensity=1, policy_version=POLICY.version)


def signed(**changes: Any) -> Any:
    verdict = a_verdict(**changes)
    signature = sign_verdict(ADA, statement_of(verdict, task="invoices", case="c1"))
    return verdict.model_copy(update={"signature": signature})


def reviewed(verdict: Any, **changes: Any) -> Outcome[Any]:
    facts = {"decision": verdict.decision, "final_answer": verdict.answer, "decided_by": "human"}
    return an_outcome(**{"route": TO_A_PERSON, "review": a_review(verdict), **facts, **changes})


def put(store: FolderStore, outcome: Outcome[Any]) -> str:
    """As `save_outcome` does; returns the key."""
    entry = IndexEntry(key=outcome_key(outcome), sha256=sha256_of(outcome))
    store.put_once(index_key(outcome.case.task, outcome.case.id), canonical_bytes(entry))
    store.put_once(entry.key, outcome.stored)
    return entry.key


def change(store: FolderStore, key: str, *path: str | int, to: Any, index_too: bool = False) -> None:
    """What somebody with write access does, who may also write the index anew."""
    stored = json.loads(store.get(key))
    place = stored
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    body = canonical_bytes(stored)
    (store.root / key).write_bytes(body)
    if index_too:
        entry = IndexEntry(key=key, sha256=sha256_of(stored))
        (store.root / index_key("invoices", "c1")).write_bytes(canonical_bytes(entry))


def problems(store: FolderStore, policies: Any = KNOWN) -> list[str]:
    return [one.problem for one in verify_store(store, policies).findings]
