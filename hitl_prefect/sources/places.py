"""Where a source lies: a file of this machine, or an object in a bucket."""

import contextlib
import gzip
import io
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from hitl_prefect.errors import ConfigError
from hitl_prefect.sources.s3_object import S3Object
from hitl_prefect.stores import S3Store, store_for

__all__ = ["Place", "place_of"]

_BUFFER_BYTES = 1 << 16
"""What a broken connection costs at most a second time."""


@dataclass(frozen=True)
class Place:
    """A file or an object, not opened yet."""

    name: str
    """For people; without any secret."""
    ending: str
    """What its name ends in, such as `.csv.gz`."""
    at: Path | S3Store
    """The file; or the bucket with the object's key as its prefix."""

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """What stands there, unpacked; a file that can be sought in where its format needs that."""
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(self._raw())
            if self.ending.endswith(".gz"):
                yield cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=file)))
            elif self.ending == ".parquet" and isinstance(self.at, S3Store):
                yield _copied(file, stack.enter_context(tempfile.TemporaryFile()))
            else:
                yield file

    def _raw(self) -> BinaryIO:
        if isinstance(self.at, Path):
            return self.at.open("rb")
        return io.BufferedReader(S3Object(self.at), _BUFFER_BYTES)


def place_of(source: str | Path, endings: Sequence[str]) -> Place:
    """Where a source lies.

    Raises:
        ConfigError: If the URL cannot be read, or none of the endings is that of the source.
    """
    text = str(source)
    if text.startswith("s3:"):
        store = _object(text)
        return Place(store.url, _ending(store.prefix, store.url, endings), store)
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise ConfigError(f"cases are read from a path or an s3:// URL, not from {scheme[0]!r}: copy the file first")
    path = Path(source).expanduser()
    return Place(str(path), _ending(path.name, str(path), endings), path)


def _object(url: str) -> S3Store:
    store = store_for(url)
    if not isinstance(store, S3Store) or not store.prefix:
        raise ConfigError(f"{url!r} names no object: use s3://bucket/folder/cases.jsonl")
    return store


def _ending(name: str, shown: str, endings: Sequence[str]) -> str:
    for ending in endings:
        if name.lower().endswith(ending):
            return ending
    raise ConfigError(f"cannot tell the format of {shown!r} by its ending: rename it to one of {', '.join(endings)}")


def _copied(file: BinaryIO, copy: BinaryIO) -> BinaryIO:
    shutil.copyfileobj(file, copy, _BUFFER_BYTES)
    copy.seek(0)
    return copy
