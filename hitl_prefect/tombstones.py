"""What stands in place of an outcome that was forgotten: `hitl.tombstone/v1`.

The same bytes stand twice: under the key of the outcome, so that nothing is written there again, and under
`forgotten/v1/...`, which is written first. From then on no reader counts the case, and whoever finds a forgetting that
was broken off goes on with it.
"""

from typing import Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from hitl_prefect.frozen import record_schema
from hitl_prefect.models import CaseId, Sha256, TaskName
from hitl_prefect.outcomes import outcome_prefix
from hitl_prefect.protocols import Store
from hitl_prefect.signing import SignedRecord

__all__ = [
    "Tombstone",
    "count_forgotten",
    "forgotten_key",
    "forgotten_prefix",
    "outcome_key_of",
    "tombstone_of",
    "tombstone_schema",
]

_NAME = b'"hitl.tombstone/v1"'
_FORGOTTEN = "forgotten/v1/"
_SEGMENT = r"[^\x00-\x1f\x7f\\/.][^\x00-\x1f\x7f\\/]*"
_SAFE = rf"^{_SEGMENT}(/{_SEGMENT})*$"
"""What every store can hold as a key; as `hitl_prefect.stores.once.check_key` has it."""


class Tombstone(SignedRecord):
    """That a case was forgotten, and which bytes stood there: no prompt, no answer, nobody who reviewed."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, title="hitl.tombstone/v1")

    schema_: Literal["hitl.tombstone/v1"] = Field(default="hitl.tombstone/v1", alias="schema")
    task: TaskName
    case: CaseId
    key: str = Field(pattern=_SAFE, max_length=1000)
    """Of the outcome."""
    outcome_sha256: Sha256
    """Of its bytes: what the ledger and the index entry name."""
    flow_run_id: str | None = None
    """Of the flow run that made it, where its rows in Prefect are to be deleted too."""
    forgotten_at: AwareDatetime
    by: str = Field(min_length=1)
    """Who had it forgotten."""
    reason: str = Field(min_length=1)


def forgotten_key(key: str) -> str:
    """Where the tombstone of an outcome stands beside the one in its place.

    >>> forgotten_key("outcomes/v1/task=invoices/dt=2026-01-02/c1.json")
    'forgotten/v1/task=invoices/dt=2026-01-02/c1.json'
    """
    return _FORGOTTEN + key.removeprefix(outcome_prefix())


def outcome_key_of(forgotten: str) -> str:
    """The key of the outcome that a tombstone below `forgotten/` is of."""
    return outcome_prefix() + forgotten.removeprefix(_FORGOTTEN)


def forgotten_prefix(task: str | None = None) -> str:
    """How the keys of tombstones begin: of one task, or of all."""
    return _FORGOTTEN + outcome_prefix(task).removeprefix(outcome_prefix())


def count_forgotten(store: Store, task: str | None = None) -> int:
    """How many cases of a store were forgotten: of one task, or of all."""
    return len(store.keys(forgotten_prefix(task)))


def tombstone_of(stored: bytes) -> Tombstone | None:
    """The tombstone that stands in place of an outcome; `None` where something else does."""
    # Looked at as a whole: an answer may say of itself what it likes.
    try:
        return Tombstone.model_validate_json(stored) if _NAME in stored else None
    except ValidationError:
        return None


def tombstone_schema() -> dict[str, Any]:
    """The JSON Schema of a tombstone, as it stands in `data/schemas/hitl.tombstone.v1.json`."""
    return record_schema(Tombstone)
