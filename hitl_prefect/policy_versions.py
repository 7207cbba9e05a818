"""The versions of what is in force for a task, in the store: `policies/v1/task=<slug>/000001.json` and on.

Each is written once and never changed; the newest is the last in the listing.
"""

from collections.abc import Callable

from pydantic import ValidationError

from hitl_prefect.calibrations import Calibrated
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import OutcomeConflict, StoreDenied
from hitl_prefect.numbered import numbered_key, numbered_prefix
from hitl_prefect.protocols import Store

__all__ = ["calibrated_tasks", "newest", "policy_key", "put_next", "read_versions"]

_KIND = "policies"
_TRIES = 5
"""As many calibrations of one task at the same moment as nobody schedules."""


def policy_key(task: str, number: int) -> str:
    """Where a version is stored, below the store's prefix.

    >>> policy_key("invoices", 12)
    'policies/v1/task=invoices/000012.json'
    """
    return numbered_key(_KIND, task, number)


def newest(store: Store, task: str) -> Calibrated | None:
    """The version in force; `None` where the task was never calibrated.

    Raises:
        StoreUnavailable: If the store is down.
        StoreDenied: If it may not be read, or was changed by somebody else.
    """
    keys = store.keys(numbered_prefix(_KIND, task))
    return _read(store, keys[-1], task) if keys else None


def read_versions(store: Store, task: str) -> list[Calibrated]:
    """Every version of a task, the oldest first; errors as of `newest`."""
    return [_read(store, key, task) for key in store.keys(numbered_prefix(_KIND, task))]


def calibrated_tasks(store: Store) -> list[str]:
    """Every task that was ever calibrated, sorted."""
    return sorted({key.split("/")[2].removeprefix("task=") for key in store.keys(f"{_KIND}/v1/")})


def put_next(store: Store, task: str, make: Callable[[Calibrated | None], Calibrated | None]) -> Calibrated | None:
    """Write the version that follows the one in force; where somebody else writes one meanwhile, it follows that.

    Args:
        store: Where versions are kept.
        task: What they are about.
        make: From the version in force to the next; `None`: nothing has changed, and nothing is written.

    Returns:
        What was written.

    Raises:
        OutcomeConflict: If others were faster each time.
    """
    tries_left = _TRIES
    while True:
        made = make(newest(store, task))
        if made is None:
            return None
        try:
            store.put_once(policy_key(task, made.number), canonical_bytes(made))
        except OutcomeConflict:
            tries_left -= 1
            if not tries_left:
                raise
            continue
        return made


def _read(store: Store, key: str, task: str) -> Calibrated:
    try:
        found = Calibrated.model_validate_json(store.get(key))
    except ValidationError as exc:
        raise StoreDenied(
            f"{key!r} in {store.url} is no version of a policy: {exc.error_count()} fields do not fit; it was changed "
            "by somebody else, or a newer release wrote it"
        ) from None
    if policy_key(task, found.number) != key or found.task != task:
        raise StoreDenied(f"{key!r} in {store.url} holds version {found.number} of task {found.task!r}: put it back")
    return found
