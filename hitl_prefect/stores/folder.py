"""A folder as a store: for one machine, for tests, and for trying things out."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from hitl_prefect.errors import HitlError, ObjectMissing, StoreDenied, StoreUnavailable
from hitl_prefect.protocols import PutResult
from hitl_prefect.stores.once import CreateResult, check_key, check_own, check_prefix, compare, quarantine_key, visible

__all__ = ["FolderStore"]

_OPEN_AT_ONCE = 16
"""Files that wait for the disk together: macOS allows a process 256, of which this is only one use."""
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


class FolderStore:
    """One file per object, below `root`.

    A file appears whole or not at all, and is on the disk when `put_once` returns.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     store = FolderStore(root)
    ...     store.put_once("outcomes/c1.json", b"{}"), store.put_once("outcomes/c1.json", b"{}"), store.keys()
    ('created', 'already', ['outcomes/c1.json'])
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().absolute()

    def __repr__(self) -> str:
        return f"FolderStore({str(self.root)!r})"

    @property
    def url(self) -> str:
        """`folder:` and the absolute path."""
        return f"folder:{self.root}"

    @property
    def writers(self) -> int:
        """One: more only wait for each other, and keep the rest of the process from its work."""
        return 1

    def put_once(self, key: str, body: bytes) -> PutResult:
        """Write `body` unless `key` is taken; see `hitl_prefect.protocols.Store`."""
        check_key(quarantine_key(key, body))
        result = self.create(key, body)
        if result == "unsupported":
            raise StoreDenied(f"the file system of {self.root} has no hard links: choose a folder on another one")
        return "created" if result == "wrote" else compare(self, key, body)

    def put_all(self, objects: Sequence[tuple[str, bytes]]) -> list[PutResult | HitlError]:
        """`put_once` for each, in one go of the disk: alone, each file waits for it."""
        try:
            for key, body in objects:
                check_key(quarantine_key(key, body))
            created = self._create_all(objects)
        except HitlError:
            # Which of them it was is found one by one.
            created = ["taken"] * len(objects)
        pairs = zip(objects, created, strict=True)
        return ["created" if result == "wrote" else self._tried(key, body) for (key, body), result in pairs]

    def create(self, key: str, body: bytes) -> CreateResult:
        """Create a file whole, or not at all, where no file stands."""
        return self._create_all([(key, body)])[0]

    def write(self, key: str, body: bytes) -> None:
        """Write a file whole, whatever stood there."""
        path = self._path(key)
        with self._translated(key):
            _make_folder(path.parent)
            with _synced_temporaries([(path.parent, body)]) as (temporary,):
                temporary.replace(path)

    def get(self, key: str) -> bytes:
        """The bytes under `key`."""
        path = self._path(key)
        with self._translated(key):
            try:
                return path.read_bytes()
            except FileNotFoundError as exc:
                raise ObjectMissing(f"nothing stands under {key!r} in {self.url}") from exc

    def stands(self, key: str) -> bool:
        """Whether a file stands under `key`."""
        path = self._path(key)
        with self._translated(key):
            return path.is_file()

    def keys(self, prefix: str = "") -> list[str]:
        """The keys below `prefix`, sorted; empty where the folder does not exist yet."""
        folder = self.root / check_prefix(prefix).rpartition("/")[0]
        with self._translated(prefix):
            return sorted(key for key in self._keys(folder) if visible(key, prefix))

    def discard(self, key: str) -> None:
        """Delete one of this package's own files, below `_hitl/`."""
        path = self._path(check_own(key))
        with self._translated(key):
            path.unlink(missing_ok=True)

    def erase(self, key: str, *, leaving: bytes | None = None, bypass_governance: bool = False) -> int:  # noqa: ARG002
        """Delete a file, or put another in its place; see `hitl_prefect.protocols.Erasable`. A folder locks nothing."""
        if leaving is not None:
            self.write(key, leaving)
            return 0
        path = self._path(key)
        with self._translated(key):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync(path.parent)
        return 0

    def _create_all(self, objects: Sequence[tuple[str, bytes]]) -> list[CreateResult]:
        files = [(self._path(key), body) for key, body in objects]
        with self._translated(", ".join(key for key, _ in objects[:1])):
            for folder in {path.parent for path, _ in files}:
                _make_folder(folder)
            with _synced_temporaries([(path.parent, body) for path, body in files]) as temporaries:
                return [_link(temporary, path) for temporary, (path, _) in zip(temporaries, files, strict=True)]

    def _tried(self, key: str, body: bytes) -> PutResult | HitlError:
        try:
            return self.put_once(key, body)
        except HitlError as exc:
            return exc

    def _keys(self, folder: Path) -> Iterator[str]:
        # By text: with a `Path` per file a listing takes 1.8 times as long.
        for parent, _, names in os.walk(folder, onerror=_raise_unless_gone):
            within = Path(parent).relative_to(self.root).as_posix()
            yield from names if within == "." else (f"{within}/{name}" for name in names)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    @contextlib.contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except PermissionError as exc:
            raise StoreDenied(f"no permission for {key!r} in {self.url}: change its owner or mode") from exc
        except OSError as exc:
            what = f"{key!r} in {self.url}: {os.strerror(exc.errno or errno.EIO)}"
            raise (StoreDenied if exc.errno in _NOT_A_FOLDER else StoreUnavailable)(what) from exc


@contextlib.contextmanager
def _synced_temporaries(files: Sequence[tuple[Path, bytes]]) -> Iterator[list[Path]]:
    """A hidden file in each folder with its bytes, gone afterwards; what happened in between is on the disk.

    Several are written before the first is waited for: the disk then takes them together.
    """
    temporaries = [folder / f".{uuid.uuid4().hex}.tmp" for folder, _ in files]
    try:
        bodies = [body for _, body in files]
        for first in range(0, len(files), _OPEN_AT_ONCE):
            some = slice(first, first + _OPEN_AT_ONCE)
            _write_synced(temporaries[some], bodies[some])
        yield temporaries
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)
        for folder in {folder for folder, _ in files}:
            _sync(folder)


def _write_synced(paths: Sequence[Path], bodies: Sequence[bytes]) -> None:
    with contextlib.ExitStack() as still_open:
        written = [still_open.enter_context(path.open("xb")) for path in paths]
        for file, body in zip(written, bodies, strict=True):
            file.write(body)
            file.flush()
        for file in written:
            os.fsync(file.fileno())


def _link(temporary: Path, path: Path) -> CreateResult:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return "taken"
    except OSError as exc:
        if exc.errno in _NO_HARD_LINKS:
            return "unsupported"
        raise
    return "wrote"


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _make_folder(folder: Path) -> None:
    """Like `mkdir -p`, with each new name on the disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
