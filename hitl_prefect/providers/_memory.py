"""What was found out about a model, kept for the next process: each Prefect flow run is a process of its own."""

import contextlib
import hashlib
import os
import time
from pathlib import Path

__all__ = ["known", "remember"]

_FOR_S = 7 * 24 * 3600.0
"""A model may learn; after a week it is asked again."""

_LOOK_EVERY_S = 5.0
"""How soon this process sees what another one has found out."""

_here: set[str] = set()
"""What this process knows, also where no file can be written."""
_not_yet: dict[str, float] = {}
"""When this process looked last for what nobody had found out."""


def remember(fact: str, *about: str) -> None:
    """Keep a fact about something, here and as an empty file in the user's cache folder."""
    name = _name(fact, about)
    _here.add(name)
    with contextlib.suppress(OSError, RuntimeError):
        _folder().mkdir(parents=True, exist_ok=True)
        (_folder() / name).touch()


def known(fact: str, *about: str) -> bool:
    """Whether the fact was found out, by this process or by another one within a week."""
    name = _name(fact, about)
    if name in _here:
        return True
    if time.monotonic() - _not_yet.get(name, -_LOOK_EVERY_S) < _LOOK_EVERY_S:
        return False
    found = _fresh(name)
    if not found:
        _not_yet[name] = time.monotonic()
    return found


def _fresh(name: str) -> bool:
    try:
        return time.time() - (_folder() / name).stat().st_mtime < _FOR_S
    except (OSError, RuntimeError):  # the latter where there is no home
        return False


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "hitl_prefect"


def _name(fact: str, about: tuple[str, ...]) -> str:
    return f"{fact}-{hashlib.sha256('|'.join(about).encode()).hexdigest()[:32]}"
