"""Where bad lines go: a file, so that they can be mended and given again."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from pydantic import ValidationError

from hitl_prefect.case_lines import BadLine
from hitl_prefect.errors import ConfigError

__all__ = ["SetAside"]

_BEGINNING = b'{"number":'


class SetAside:
    r"""A file of bad lines, one JSON object each: `number`, `text`, `problems`.

    It is written line by line, and goes on where an earlier run was killed: no line stands there twice. One process at
    a time. A file in which nothing stands at the end is taken away.

    Args:
        path: The file; its folder is made.

    Raises:
        ConfigError: On entering, if the file cannot be written or holds something else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "bad.jsonl")
    ...     for _ in range(2):
    ...         with SetAside(path) as aside:
    ...             aside.add(BadLine(number=3, text="{half", problems=("line: no JSON",)))
    ...     path.read_text()
    '{"number":3,"text":"{half","problems":["line: no JSON"]}\n'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._known: set[bytes] = set()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            whole_bytes = self._take_up()
            self._file = self.path.open("ab")
            self._file.truncate(whole_bytes)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            empty = not os.fstat(self._file.fileno()).st_size
            self._file.close()
            self._file = None
            if empty:
                self.path.unlink(missing_ok=True)

    def add(self, line: BadLine) -> None:
        """Write a line, unless the very same stands there already."""
        if self._file is None:
            raise ConfigError("bad lines are set aside within `with SetAside(path) as aside:`")
        raw = line.model_dump_json().encode() + b"\n"
        if (name := _name(raw)) not in self._known:
            with self._translated():
                self._file.write(raw)
                self._file.flush()
            self._known.add(name)

    def _take_up(self) -> int:
        """Learn what stands in the file; how many bytes of it are whole lines."""
        size = 0
        with self.path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n") and raw.startswith(_BEGINNING[: len(raw)]):
                    break  # a run was killed while it wrote this
                self._check(raw)
                self._known.add(_name(raw))
                size += len(raw)
        return size

    def _check(self, raw: bytes) -> None:
        try:
            BadLine.model_validate_json(raw)
        except ValidationError as exc:
            raise ConfigError(f"{str(self.path)!r} holds something else than bad lines: name another file") from exc

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise ConfigError(f"cannot set bad lines aside in {str(self.path)!r}: {exc.strerror}") from exc


def _name(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()[:16]
