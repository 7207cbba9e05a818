"""A bucket of any S3-compatible store: AWS, Ceph, MinIO, R2, rclone and others."""

import base64
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import urlencode

from hitl_prefect.errors import ObjectMissing, StoreError, StoreUnavailable
from hitl_prefect.protocols import PutResult
from hitl_prefect.stores.claims import create_announced
from hitl_prefect.stores.once import (
    OWN,
    CreateResult,
    check_key,
    check_own,
    check_prefix,
    compare,
    quarantine_key,
    visible,
)
from hitl_prefect.stores.s3_access import PerProcess, S3Access
from hitl_prefect.stores.s3_errors import answer_to_condition, is_locked, translated
from hitl_prefect.stores.s3_lock import LockMode, Protection
from hitl_prefect.stores.s3_versions import older_versions

__all__ = ["S3Store"]

_BUSY_PAUSES_S = (0.05, 0.2, 0.8)
_MARK = f"{OWN}probe/create-if-absent"

_honouring: dict[tuple[str | None, str, str], bool] = {}
"""Which endpoint, bucket and prefix honour the condition, as far as this process has asked."""
_protecting: set[tuple[str | None, str, Protection]] = set()
"""Which endpoint and bucket do what is asked of them, as far as this process has asked."""


@dataclass(frozen=True, eq=False)
class S3Store(S3Access):
    """Objects below `prefix` in `bucket`.

    An outcome is written by one `PutObject` with `If-None-Match: *`. Stores that ignore that header would overwrite,
    so the first write of a process asks with an object of our own, below `_hitl/probe/`, whether it is honoured: one
    request, two for the very first. Where it is not, each write is announced first (`claims.py`). On Ceph a write
    takes 2.6 ms so; with a look before each it would be 4.2, with a read after each 5.1, announced 14.7.

    Threads may share a store. Processes may too: after a fork or a pickle, each makes its own client.

    >>> S3Store("outcomes", "team-a")
    S3Store(bucket='outcomes', prefix='team-a', endpoint_url=None, region=None)
    """

    bucket: str
    prefix: str = ""
    atomic_create: bool | None = field(default=None, kw_only=True)
    """Whether the store creates atomically. `None`: ask it. `False`: announce each write; set it where `probe` says
    `racy`, which asking does not show."""
    lock_days: int | None = field(default=None, kw_only=True)
    """Days for which a bucket with object lock holds each outcome, index entry, manifest and tombstone."""
    lock_mode: LockMode = field(default="GOVERNANCE", kw_only=True)
    """Whether some may delete earlier (`GOVERNANCE`), or nobody (`COMPLIANCE`)."""
    versioned: bool = field(default=False, kw_only=True)
    """Refuse a bucket that keeps no versions."""
    _client: PerProcess = field(default_factory=PerProcess, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._protection

    def __repr__(self) -> str:
        where = f"endpoint_url={self.endpoint_url!r}, region={self.region!r}"
        return f"S3Store(bucket={self.bucket!r}, prefix={self.prefix!r}, {where})"

    @classmethod
    def from_credentials(cls, credentials: Any, *, bucket: str, prefix: str = "") -> Self:
        """A store with the keys and client parameters of an `AwsCredentials` or `MinIOCredentials` block.

        Args:
            credentials: Anything with `get_boto3_session()`; its `aws_client_parameters` are honoured.
            bucket: The bucket; it must exist.
            prefix: Goes in front of every key.
        """
        return cls(bucket, prefix, **cls.parameters_of(credentials))

    @property
    def url(self) -> str:
        """`s3://bucket/prefix` with what else `store_for` needs to find it; no secret."""
        verify = None if self.verify is True else "false" if self.verify is False else self.verify
        given = {"endpoint_url": self.endpoint_url, "region": self.region, "verify": verify}
        query = urlencode({k: v for k, v in (given | self._protection.in_url).items() if v is not None}, safe=":/")
        return f"s3://{self.bucket}/{self._base}".rstrip("/") + (f"?{query}" if query else "")

    @property
    def writers(self) -> int:
        """Several: writing to a bucket is mostly waiting."""
        return 16

    def put_once(self, key: str, body: bytes) -> PutResult:
        """Write `body` unless `key` is taken; see `hitl_prefect.protocols.Store`."""
        check_key(quarantine_key(key, body))
        self._check_protection(key)
        result = self.create(key, body) if self._honours_condition() else create_announced(self, key, body)
        return "created" if result == "wrote" else compare(self, key, body)

    def create(self, key: str, body: bytes) -> CreateResult:
        """One conditional `PutObject`; as atomic as the store makes it.

        Raises:
            StoreUnavailable: Also where the store answers 409 (a race in flight) several times.
        """
        for pause_s in (*_BUSY_PAUSES_S, 0):
            answer = self._put_if_absent(key, body)
            if answer != "busy":
                return answer
            if self.stands(key):
                return "taken"
            time.sleep(pause_s)
        raise StoreUnavailable(f"other writers keep {key!r} in {self.url} busy: try again later")

    def write(self, key: str, body: bytes) -> None:
        """One `PutObject` without any condition."""
        with translated(self, key):
            self._put(key, body)

    def get(self, key: str) -> bytes:
        """The bytes under `key`, checked against the sha256 that was stored with them."""
        with translated(self, key):
            answer = self._s3.get_object(Bucket=self.bucket, Key=self._name(key))
            with answer["Body"] as stream:
                body: bytes = stream.read()
        return self._checked(key, body, answer["Metadata"])

    def stands(self, key: str) -> bool:
        """Whether anything stands under `key`; a missing bucket holds nothing."""
        try:
            with translated(self, key):
                self._s3.head_object(Bucket=self.bucket, Key=self._name(key))
        except ObjectMissing:
            return False
        return True

    def keys(self, prefix: str = "") -> list[str]:
        """The keys below `prefix`, sorted; a listing is asked for page by page, 1,000 keys each."""
        with translated(self, prefix):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._base + check_prefix(prefix)
            )
            keys = [entry["Key"].removeprefix(self._base) for page in pages for entry in page.get("Contents", ())]
        return sorted(key for key in keys if visible(key, prefix))

    def discard(self, key: str) -> None:
        """Delete one of this package's own objects, below `_hitl/`."""
        with translated(self, key):
            self._s3.delete_object(Bucket=self.bucket, Key=self._name(check_own(key)))

    def erase(self, key: str, *, leaving: bytes | None = None, bypass_governance: bool = False) -> int:
        """Delete an object in every version; see `hitl_prefect.protocols.Erasable`."""
        with translated(self, key):
            if leaving is None:
                self._s3.delete_object(Bucket=self.bucket, Key=self._name(key))
            elif not self._holds(key, leaving):
                self._put(key, leaving)
            versions = older_versions(self._s3, self.bucket, self._name(key), keep_latest=leaving is not None)
            return sum(not self._deleted(key, one, bypass_governance) for one in versions)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this process; the next call opens new ones."""
        self._client.close()

    @property
    def _s3(self) -> Any:
        return self._client.get(self.connect)

    @property
    def _base(self) -> str:
        folder = self.prefix.strip("/")
        return f"{folder}/" if folder else ""

    def _name(self, key: str) -> str:
        return self._base + check_key(key)

    def _put(self, key: str, body: bytes, **condition: str) -> None:
        # Content-MD5 is the one integrity header that every real store verifies, over http and https.
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        self._s3.put_object(
            Bucket=self.bucket,
            Key=self._name(key),
            Body=body,
            ContentType="application/vnd.apache.parquet" if key.endswith(".parquet") else "application/json",
            ContentMD5=base64.b64encode(md5).decode(),
            Metadata={"sha256": hashlib.sha256(body).hexdigest()},
            **self._protection.of(key),
            **condition,
        )

    def _put_if_absent(self, key: str, body: bytes) -> CreateResult | Literal["busy"]:
        from botocore.exceptions import ClientError

        with translated(self, key):
            try:
                self._put(key, body, IfNoneMatch="*")
            except ClientError as exc:
                answer = answer_to_condition(exc)
                if answer is None:
                    raise
                return answer
        return "wrote"

    @property
    def _protection(self) -> Protection:
        return Protection(self.lock_days, self.lock_mode, self.versioned)

    def _check_protection(self, key: str) -> None:
        """Asked once by each process, before its first write."""
        asked = (self.endpoint_url, self.bucket, self._protection)
        if self._protection.is_asked and asked not in _protecting:
            with translated(self, key):
                self._protection.check(self._s3, self.bucket, self.url)
            _protecting.add(asked)

    def _holds(self, key: str, body: bytes) -> bool:
        try:
            return self.get(key) == body
        except ObjectMissing:
            return False

    def _deleted(self, key: str, version: str, bypass_governance: bool) -> bool:
        """Delete one version; `False` where a lock holds it, or these keys may not."""
        from botocore.exceptions import ClientError

        bypass = {"BypassGovernanceRetention": True} if bypass_governance else {}
        try:
            self._s3.delete_object(Bucket=self.bucket, Key=self._name(key), VersionId=version, **bypass)
        except ClientError as exc:
            if not is_locked(exc):
                raise
            return False
        return True

    def _checked(self, key: str, body: bytes, metadata: dict[str, str]) -> bytes:
        # rclone gives the names back in title case.
        stored = {name.lower(): value for name, value in metadata.items()}.get("sha256")
        if stored not in (None, hashlib.sha256(body).hexdigest()):
            raise StoreError(f"{key!r} in {self.url} is not what was written: its sha256 differs; restore it")
        return body

    def _honours_condition(self) -> bool:
        if self.atomic_create is not None:
            return self.atomic_create
        place = (self.endpoint_url, self.bucket, self.prefix)
        if place not in _honouring:
            _honouring[place] = self._ask()
        return _honouring[place]

    def _ask(self) -> bool:
        """Create our own object until the store says that it stands: at once, but for the very first time."""
        answers = (self.create(_MARK, b"{}") for _ in range(2))
        return next((answer == "taken" for answer in answers if answer != "wrote"), False)
