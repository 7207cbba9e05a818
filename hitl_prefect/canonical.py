"""Canonical bytes: the same value always has the same bytes, and so the same sha256."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel

__all__ = ["canonical_bytes", "sha256_of"]

_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
"""Kept: `json.dumps` would make one for each value."""


def canonical_bytes(value: Any) -> bytes:
    r"""UTF-8 JSON with sorted keys and no spaces; models by their aliases, in JSON mode.

    Args:
        value: A model, or anything `json` can write.

    Raises:
        ValueError: If the value holds NaN or an infinity, which JSON cannot say.

    >>> canonical_bytes({"b": 1, "a": "é"})
    b'{"a":"\xc3\xa9","b":1}'
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True)
    return _JSON.encode(value).encode()


def sha256_of(value: Any) -> str:
    """Hex sha256 of the canonical bytes; 64 characters."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()
