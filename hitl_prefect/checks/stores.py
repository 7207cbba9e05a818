"""Checks of stores: is one there, does it let one writer win, do all workers see the same."""

import asyncio
import re
import time
from typing import Literal

import httpx

from hitl_prefect.checks.finding import Check
from hitl_prefect.checks.seen import ahead_of_ours
from hitl_prefect.configured import store_of
from hitl_prefect.errors import HitlError
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.stores.once import RawStore
from hitl_prefect.stores.probe import probe
from hitl_prefect.stores.s3 import S3Store

__all__ = ["of_store"]

_CLOCK_S = 60.0
"""S3 refuses what was signed a quarter of an hour ago."""


async def of_store(name: str, *, workers: int = 0) -> Check:
    """Race 16 creators for the same objects of a store, below `_hitl/probe/`.

    Args:
        name: `folder:` path, `s3://` URL, or the name of a saved block.
        workers: How many workers are online: several may stand on several machines.
    """
    what = f"store {_shown(name)}"
    try:
        store = await store_of(name)
        if not isinstance(store, RawStore):
            return Check(what=what, state="warn", found=f"{store.url} is no store of this package: not raced")
        capability = await asyncio.to_thread(probe, store)
        ahead_s = await asyncio.to_thread(_ahead_s, store)
    except (HitlError, httpx.HTTPError, RuntimeError) as exc:
        found = str(exc) or type(exc).__name__
        return Check(what=what, state="fail", found=found, follows="an outcome could not be stored")
    found = f"create-if-absent is {capability.create}"
    if isinstance(store, FolderStore) and workers > 1:
        follows = "where workers run on several machines, use a bucket: each has a folder of its own"
        return Check(what=what, state="warn", found=f"{found}, in a folder; {workers} workers", follows=follows)
    if abs(ahead_s) > _CLOCK_S:
        found = f"{found}; its clock is {ahead_s:+.0f} s from ours"
        return Check(what=what, state="warn", found=found, follows="synchronise both with NTP: at 900 s it refuses us")
    state: Literal["ok", "warn"] = "ok" if capability.create == "atomic" else "warn"
    return Check(what=what, state=state, found=found, follows="" if state == "ok" else capability.follows)


def _shown(name: str) -> str:
    """A store's name without what somebody may have put into its URL: keys before the bucket, or in the query.

    >>> _shown("s3://key:secret@bucket/prefix?token=secret"), _shown("folder:outcomes")
    ('s3://bucket/prefix', 'folder:outcomes')
    """
    scheme, url, rest = name.partition("://")
    if not url:
        return name
    place = re.split(r"[?#]", rest)[0]
    if re.match(r"[^/]*[:@]", place):
        # A secret key may hold a slash; one that no `@` ends is not told from a bucket.
        _, at, place = place.rpartition("@")
        place = place if at else "…"
    return f"{scheme}://{place}"


def _ahead_s(store: RawStore) -> float:
    """How far the store's clock is ahead, in seconds; a folder has ours."""
    if not isinstance(store, S3Store):
        return 0.0
    from botocore.exceptions import ClientError

    client, asked = store.connect(), time.time()
    try:
        answer = client.head_bucket(Bucket=store.bucket)
    except ClientError as exc:
        # Whoever may write need not be allowed to look; the answer tells the time all the same.
        answer = exc.response
    finally:
        client.close()
    return ahead_of_ours(answer["ResponseMetadata"]["HTTPHeaders"].get("date"), asked, time.time())
