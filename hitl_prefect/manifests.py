"""The ledger of a task: numbered manifests that name stored outcomes by their sha256, each naming the one before it.

`ledger/v1/task=<slug>/000001.json` and on. A manifest is about one day (UTC). What comes late, when its day is sealed
already, stands in a further manifest of the same day: no manifest is ever written anew. It holds no clock, so that two
who seal the same outcomes write the same bytes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from hitl_prefect.errors import ObjectMissing, StoreError
from hitl_prefect.frozen import Frozen, record_schema
from hitl_prefect.models import Sha256, TaskName
from hitl_prefect.numbered import numbered_key, numbered_keys, numbered_prefix
from hitl_prefect.outcomes import outcome_prefix
from hitl_prefect.protocols import Store
from hitl_prefect.signing import SignedRecord

__all__ = [
    "Link",
    "Manifest",
    "SealedObject",
    "ledger_prefix",
    "ledger_tasks",
    "manifest_key",
    "manifest_schema",
    "read_chain",
]

_KIND = "ledger"


class SealedObject(Frozen):
    """One stored object, as it was when it was sealed."""

    key: str
    sha256: Sha256
    size_bytes: int = Field(ge=0)


class Manifest(SignedRecord):
    """Which outcomes of a task and day stand in the store, in the order of their keys."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, title="hitl.manifest/v1")

    schema_: Literal["hitl.manifest/v1"] = Field(default="hitl.manifest/v1", alias="schema")
    task: TaskName
    number: int = Field(ge=1)
    """Its place in the chain of its task, from 1."""
    day: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """On which the outcomes were decided, in UTC, as ISO 8601."""
    late: bool = False
    """Whether this day, or a later one, was sealed before: the outcomes came late, or somebody put them there."""
    previous: Sha256 | None
    """Of the bytes of the manifest before it; `None` for the first."""
    objects: tuple[SealedObject, ...] = Field(min_length=1)

    @property
    def key(self) -> str:
        """Where it stands."""
        return manifest_key(self.task, self.number)


@dataclass(frozen=True)
class Link:
    """One place of a chain, and what stands there."""

    key: str
    manifest: Manifest | None
    """`None` where nothing that can be read stands there."""
    sha256: str | None = None
    """Of the bytes that stand there."""
    problems: tuple[str, ...] = ()
    """What shows that it is not as it was written."""


def manifest_key(task: str, number: int) -> str:
    """Where a manifest is stored, below the store's prefix.

    >>> manifest_key("invoices", 12)
    'ledger/v1/task=invoices/000012.json'
    """
    return numbered_key(_KIND, task, number)


def ledger_prefix(task: str) -> str:
    """How the keys of a task's manifests begin."""
    return numbered_prefix(_KIND, task)


def ledger_tasks(store: Store) -> list[str]:
    """Every task that has a ledger, sorted."""
    return sorted({key.split("/")[2].removeprefix("task=") for key in store.keys(f"{_KIND}/v1/")})


def read_chain(store: Store, task: str) -> Iterator[Link]:
    """The manifests of a task from the first to the last, one in memory at a time; a gap is one link without manifest.

    A manifest that was changed is told from by the one that follows it: of the last, only its signature tells.

    Raises:
        StoreUnavailable: If the store is down.
    """
    before: Link | None = None
    for link in _links(store, task):
        if before is not None:
            yield _judged(before, link)
        before = link
    if before is not None:
        yield before


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, as it stands in `data/schemas/hitl.manifest.v1.json`."""
    return record_schema(Manifest)


def _links(store: Store, task: str) -> Iterator[Link]:
    """What is listed, and each gap before it: whoever puts something under a number far away adds one link."""
    before, expected = None, 1
    for number, key in numbered_keys(store, _KIND, task).items():
        if number > expected:
            before = _gap(task, expected, number - 1)
            yield before
        before = _link(store, key, before)
        yield before
        expected = number + 1


def _gap(task: str, first: int, last: int) -> Link:
    what = "this manifest is missing" if first == last else f"manifests {first} to {last} are missing"
    return Link(manifest_key(task, first), None, problems=(f"{what}, and later ones are there",))


def _link(store: Store, key: str, before: Link | None) -> Link:
    try:
        body = store.get(key)
    except ObjectMissing:
        return Link(key, None, problems=("this manifest is listed, and nothing stands there",))
    except StoreError as exc:
        if exc.retryable:
            raise
        return Link(key, None, problems=(str(exc),))
    sha256 = hashlib.sha256(body).hexdigest()
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError as exc:
        return Link(key, None, sha256, (f"it is no manifest: {exc.error_count()} fields do not fit",))
    return Link(key, manifest, sha256, tuple(_problems(manifest, key, body, before)))


def _problems(manifest: Manifest, key: str, body: bytes, before: Link | None) -> Iterator[str]:
    if manifest.stored != body:
        yield "its bytes are not the canonical ones: something else wrote it"
    if manifest.key != key:
        yield f"it is manifest {manifest.number} of task {manifest.task!r}: manifests were exchanged"
    if (manifest.previous is None) is not (before is None):
        yield "it does not say which manifest stood before it" if before else "it follows a manifest that is gone"
    if before and before.manifest and before.manifest.signature and not manifest.signature:
        yield "it is not signed, and the one before it is"
    folder = f"{outcome_prefix(manifest.task)}dt={manifest.day}/"
    keys = [one.key for one in manifest.objects]
    if keys != sorted(set(keys)):
        yield "its objects are not in order: they were re-ordered, or named twice"
    if any(not one.startswith(folder) for one in keys):
        yield f"it names objects outside {folder}"


def _judged(link: Link, after: Link) -> Link:
    """A link, seen from the one that follows it."""
    named = after.manifest and after.manifest.previous
    if named is None or link.sha256 is None or named == link.sha256:
        return link
    problem = f"its sha256 is not the one that {after.key} names: one of the two was changed"
    return Link(link.key, link.manifest, link.sha256, (*link.problems, problem))
