"""Stores that are sealed, and what is found in them."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import hitl_prefect
from hitl_prefect.manifests import Manifest, manifest_key
from hitl_prefect.outcomes import CaseRecord
from hitl_prefect.stores import FolderStore
from hitl_prefect.storing import put_outcome
from hitl_prefect.verifying import verify_store
from tests.unit.making import NOON, a_case, an_outcome

SCHEMA = Path(hitl_prefect.__file__).parent / "data" / "schemas" / "hitl.manifest.v1.json"
KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
FRIDAY, SATURDAY = "outcomes/v1/task=invoices/dt=2026-01-02/", "outcomes/v1/task=invoices/dt=2026-01-03/"
FIRST, SECOND = manifest_key("invoices", 1), manifest_key("invoices", 2)


def put(store, case_id, task="invoices", **changes):
    put_outcome(an_outcome(case=CaseRecord.of(a_case(id=case_id, task=task)), **changes), store=store)


def three_outcomes(folder):
    """A store with three outcomes of one task on two days."""
    store = FolderStore(folder)
    put(store, "c1")
    put(store, "c2", decided_at=NOON + timedelta(microseconds=1))
    put(store, "d1", decided_at=NOON + timedelta(days=1))
    return store


def findings(store, **asked):
    return [(one.key, one.problem) for one in verify_store(store, {}, **asked).findings]


def said(store, **asked):
    """Of each finding the end of its key, and how its problem begins."""
    return [(key.rpartition("/")[2], problem[:24]) for key, problem in findings(store, **asked)]


def rewrite(store, key, change):
    """What somebody with write access does to a manifest."""
    stored = json.loads(store.get(key))
    change(stored)
    manifest = Manifest.model_validate(stored)
    (store.root / key).write_bytes(manifest.stored)
    return manifest


def sha256(body):
    return hashlib.sha256(body).hexdigest()
