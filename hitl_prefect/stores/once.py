"""Writing once: the rules that a folder and a bucket share.

An object, once written, stays as it is. Where the key is taken, the bytes are compared: the same bytes are a lost
acknowledgement or a second writer of the same outcome; other bytes are a conflict, and ours go to `quarantine/`.
"""

import hashlib
import re
from typing import Literal, Protocol, runtime_checkable

from hitl_prefect.errors import ConfigError, OutcomeConflict

__all__ = [
    "OWN",
    "CreateResult",
    "RawStore",
    "check_key",
    "check_own",
    "check_prefix",
    "compare",
    "quarantine_key",
    "visible",
]

CreateResult = Literal["wrote", "taken", "unsupported"]
"""What a raw create-if-absent came to; `unsupported`: the store refuses the condition, nothing was written."""

OWN = "_hitl/"
"""Keys of this package's own bookkeeping: listed only when asked for, and the only ones it ever deletes."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]|//|(^|/)\.|/$|^/")


@runtime_checkable
class RawStore(Protocol):
    """What the rules of this folder are built on; users call `put_once` instead."""

    @property
    def url(self) -> str:
        """Where it is, for people."""
        ...

    def create(self, key: str, body: bytes) -> CreateResult:
        """One create-if-absent, as good as the store's own."""
        ...

    def write(self, key: str, body: bytes) -> None:
        """Write without any condition: only for keys that nobody else writes other bytes to."""
        ...

    def get(self, key: str) -> bytes:
        """The bytes under `key`, or `ObjectMissing`."""
        ...

    def stands(self, key: str) -> bool:
        """Whether anything stands under `key`."""
        ...

    def keys(self, prefix: str = "") -> list[str]:
        """The keys below `prefix`, sorted."""
        ...

    def discard(self, key: str) -> None:
        """Delete one of this package's own objects, below `_hitl/`."""
        ...


def check_key(key: str) -> str:
    """The key itself, if every store can hold it and none leaves its root by it.

    Raises:
        ConfigError: If it is empty, absolute, longer than 1,000 bytes, or has a `//`, a backslash, a control
            character, or a segment that starts with a dot.

    >>> check_key("outcomes/v1/task=invoices/c1.json")
    'outcomes/v1/task=invoices/c1.json'
    """
    if not key or _UNSAFE.search(key) or len(key.encode(errors="replace")) > 1000 or not _is_utf8(key):
        raise ConfigError(
            f"object key {key!r} is not safe: use segments between single slashes, none starting with a dot, "
            "without backslash or control characters, 1 to 1000 bytes in all"
        )
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself, if it is empty or the beginning of a safe key."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def check_own(key: str) -> str:
    """The key itself, if it may be deleted: only what this package made for itself may."""
    if not check_key(key).startswith(OWN):
        raise ConfigError(f"object key {key!r} is not below {OWN!r}: outcomes are never deleted")
    return key


def quarantine_key(key: str, body: bytes) -> str:
    """Where bytes go that may not stand under `key`; the same bytes always to the same place.

    >>> quarantine_key("outcomes/c1.json", b"{}")
    'quarantine/outcomes/c1.json.44136fa355b3678a'
    """
    return f"quarantine/{key}.{hashlib.sha256(body).hexdigest()[:16]}"


def compare(store: RawStore, key: str, body: bytes) -> Literal["already"]:
    """Decide what a taken key means.

    Raises:
        OutcomeConflict: Other bytes stand there; ours are kept, and both are named.
    """
    if store.get(key) == body:
        return "already"
    kept = quarantine_key(key, body)
    store.write(kept, body)
    raise OutcomeConflict(
        f"other bytes stand under {key!r} in {store.url}; ours are kept under {kept!r}, nothing was overwritten: "
        "compare the two and decide by hand"
    )


def visible(key: str, prefix: str) -> bool:
    """Whether a listing shows the key: ours only when asked for, folder markers and hidden files never.

    >>> [visible(key, "") for key in ("outcomes/c1.json", "_hitl/probe/x", "outcomes/", ".tmp")]
    [True, False, False, False]
    """
    return key.startswith(prefix) and not _UNSAFE.search(key) and (prefix.startswith(OWN) or not key.startswith(OWN))


def _is_utf8(text: str) -> bool:
    return text.encode(errors="replace").decode() == text
