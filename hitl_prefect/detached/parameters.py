"""The parameters of a review's flow run: what it is about, frozen; in the store where Prefect would refuse its size."""

import asyncio
import hashlib
import json

from hitl_prefect.audits import is_veiled
from hitl_prefect.configured import store_of
from hitl_prefect.detached.asked import Detached
from hitl_prefect.errors import StoreError
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Sha256

__all__ = ["ReviewParameters", "freeze", "thaw"]

_LARGEST_BYTES = 200_000
"""Prefect takes 512 kB of parameters, and lists them with every run."""


class InStore(Frozen):
    """Where the whole of a large review stands in its store."""

    key: str
    sha256: Sha256


class ReviewParameters(Frozen):
    """The parameters of the flow `review`."""

    case: str
    task: str
    store: str
    batch: str = ""
    asked: str = ""
    """The review as JSON text; empty where it is kept in the store. As text, since Prefect evaluates objects among
    parameters that hold `__prefect_kind`, and a model may have written one."""
    kept: InStore | None = None


async def freeze(review: Detached) -> ReviewParameters:
    """The parameters of a review; a large one is put into its store under its sha256.

    So is one of which people are not told why they are asked: the Prefect UI shows the parameters of every run.

    Raises:
        ConfigError: If no other process could find the answer type, or there is no such store.
        StoreError: If the store refused, or is away.
    """
    body = json.dumps(review.packed(), ensure_ascii=False).encode("utf-8", "replace")
    text = body.decode()
    named = {"case": review.case.id, "task": review.case.task, "store": review.store, "batch": review.batch}
    # As Prefect measures it: a letter that is not ASCII takes six bytes, and one that is too large has it refuse all.
    if len(json.dumps(text)) <= _LARGEST_BYTES and not is_veiled(review.attempt.route, review.policy):
        return ReviewParameters(**named, asked=text)
    sha256 = hashlib.sha256(body).hexdigest()
    kept = InStore(key=f"drafts/v1/task={review.case.task}/{review.case.id}-{sha256[:16]}.json", sha256=sha256)
    store = await store_of(review.store)
    await asyncio.to_thread(store.put_once, kept.key, body)
    return ReviewParameters(**named, kept=kept)


async def thaw(parameters: ReviewParameters) -> Detached:
    """The review of a flow run's parameters.

    Raises:
        ConfigError: If the answer type or the store is not found here.
        StoreError: If what is kept in the store is gone, was changed, or the store is away.
    """
    try:
        return Detached.unpacked(json.loads(parameters.asked or await _fetched(parameters)))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as exc:
        raise StoreError(
            f"case {parameters.case!r}: what its review is about was changed after it was opened, so nothing of it "
            "applies; delete the run and open the review again"
        ) from exc


async def _fetched(parameters: ReviewParameters) -> bytes:
    if parameters.kept is None:
        raise StoreError(f"case {parameters.case!r}: the flow run's parameters hold no review; cancel it")
    store = await store_of(parameters.store)
    body = await asyncio.to_thread(store.get, parameters.kept.key)
    if hashlib.sha256(body).hexdigest() != parameters.kept.sha256:
        raise StoreError(
            f"{parameters.kept.key} in {store.url} was changed after the review was opened, so nothing of it applies; "
            "put back what was there and retry the run, or delete the run and open the review again"
        )
    return body
