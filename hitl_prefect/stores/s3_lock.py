"""Object lock and versioning: what keeps an object in a bucket where somebody may write, or delete, or both."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hitl_prefect.errors import ConfigError, StoreDenied

__all__ = ["LockMode", "Protection"]

LockMode = Literal["GOVERNANCE", "COMPLIANCE"]
"""`GOVERNANCE`: whoever has the right to bypass it may still delete. `COMPLIANCE`: nobody may, until it ends."""

_LOCKED = ("cases/", "forgotten/", "ledger/", "outcomes/")
"""The record; copies, drafts and bookkeeping are not locked."""
_NOT_SET_UP = {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "404"}


@dataclass(frozen=True)
class Protection:
    """What is asked of a bucket."""

    lock_days: int | None = None
    lock_mode: LockMode = "GOVERNANCE"
    versioned: bool = False

    def __post_init__(self) -> None:
        if self.lock_days is not None and self.lock_days < 1:
            raise ConfigError(f"lock_days is {self.lock_days}: give a whole number of days, 1 or more, or nothing")
        if self.lock_mode not in ("GOVERNANCE", "COMPLIANCE"):
            raise ConfigError(f"lock_mode is {self.lock_mode!r}: GOVERNANCE or COMPLIANCE")

    @property
    def is_asked(self) -> bool:
        """Whether anything is asked."""
        return self.versioned or self.lock_days is not None

    @property
    def in_url(self) -> dict[str, str]:
        """The parameters of a store URL that ask for the same."""
        lock = {} if self.lock_days is None else {"lock_days": str(self.lock_days), "lock_mode": self.lock_mode}
        return lock | ({"versioned": "true"} if self.versioned else {})

    def of(self, key: str) -> dict[str, Any]:
        """What `PutObject` is told about an object."""
        if self.lock_days is None or not key.startswith(_LOCKED):
            return {}
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=self.lock_days)
        return {"ObjectLockMode": self.lock_mode, "ObjectLockRetainUntilDate": until}

    def check(self, client: Any, bucket: str, url: str) -> None:
        """Refuse a bucket that would take what is asked for and not do it.

        Raises:
            StoreDenied: If it does not keep versions, or does not lock.
        """
        if self.lock_days is not None and not _locks(client, bucket):
            raise StoreDenied(
                f"lock_days is set, and {url} locks no object: the bucket was made without object lock, or the server "
                "has none (rclone does not); make one with --object-lock-enabled-for-bucket, or leave out lock_days"
            )
        if self.versioned and client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            raise StoreDenied(
                f"versioned is set, and {url} keeps no versions: switch versioning on for the bucket (a server such as "
                "rclone has none), or leave out versioned"
            )


def _locks(client: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = client.get_object_lock_configuration(Bucket=bucket).get("ObjectLockConfiguration", {})
    except ClientError as exc:
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if exc.response.get("Error", {}).get("Code") in _NOT_SET_UP or status in (404, 405, 501):
            return False
        raise
    return bool(found.get("ObjectLockEnabled") == "Enabled")
