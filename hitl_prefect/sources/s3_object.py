"""An object of a bucket as a file that is read from front to back, over as many connections as that takes."""

import io
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hitl_prefect.errors import ConfigError, ObjectMissing, StoreUnavailable
from hitl_prefect.stores import S3Store
from hitl_prefect.stores.s3_errors import translated

__all__ = ["S3Object"]

_PAUSES_S = (0.1, 0.4, 1.6, 6.4)
"""Between attempts that bring nothing; botocore makes four requests of each."""

_CHANGED = {412, 416}
"""Another ETag; or fewer bytes, from a store that does not heed `If-Match`."""


class S3Object(io.RawIOBase):
    """The object whose key is the store's prefix; what is not read yet is not held.

    Where the connection breaks, reading goes on from the same byte of the same object, as named by its ETag.

    Args:
        store: The bucket, with the object's key as its prefix.
        pauses_s: Seconds to wait after each attempt that brings nothing.

    Raises:
        ConfigError: While reading, if there is no such object, or it was changed since its first byte was read.
        StoreUnavailable, StoreDenied: While reading, as for any object.
    """

    def __init__(self, store: S3Store, pauses_s: Sequence[float] = _PAUSES_S) -> None:
        self._key, self._bucket = store.prefix, replace(store, prefix="")
        self._pauses_s = tuple(pauses_s)
        self._client = store.connect()
        self._body: Any = None
        self._etag: str | None = None
        self._size = -1
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what arrives next; 0 at the end."""
        for pause_s in self._pauses_s:
            try:
                return self._read(buffer)
            except StoreUnavailable:
                time.sleep(pause_s)
        return self._read(buffer)

    def close(self) -> None:
        """Close the connection."""
        if not self.closed:
            self._hang_up()
            self._client.close()
        super().close()

    def _read(self, buffer: Any) -> int:
        if self._position == self._size:
            return 0
        try:
            with translated(self._bucket, self._key):
                piece = self._piece(len(buffer))
        except ObjectMissing as exc:
            raise ConfigError(f"{exc}: correct the key, or upload it first") from exc
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _piece(self, size: int) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            self._body = self._body or self._get()
            piece: bytes = self._body.read(size)
        except HTTPError as exc:  # what breaks in TLS is not translated by botocore
            self._hang_up()
            raise StoreUnavailable(f"{self._key!r} in {self._bucket.url} broke off at {self._position:,}") from exc
        except BaseException:
            self._hang_up()
            raise
        return piece

    def _get(self) -> Any:
        """Ask for what is left."""
        from botocore.exceptions import ClientError

        try:
            answer = self._client.get_object(Bucket=self._bucket.bucket, Key=self._key, **self._from_here())
        except ClientError as exc:
            if exc.response["ResponseMetadata"]["HTTPStatusCode"] in _CHANGED:
                raise self._changed() from exc
            raise
        etag, size = answer.get("ETag"), self._position + answer["ContentLength"]
        if self._position and (etag, size) != (self._etag, self._size):
            answer["Body"].close()
            raise self._changed()
        self._etag, self._size = etag, size
        return answer["Body"]

    def _from_here(self) -> dict[str, str]:
        if not self._position:
            return {}
        return {"Range": f"bytes={self._position}-", **({"IfMatch": self._etag} if self._etag else {})}

    def _changed(self) -> ConfigError:
        return ConfigError(
            f"{self._key!r} in {self._bucket.url} was changed while it was read, after {self._position:,} bytes: "
            "start again, and write the next file under another key"
        )

    def _hang_up(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
