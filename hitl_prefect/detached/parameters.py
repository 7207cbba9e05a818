"""The parameters of a review's flow run: what it is about, frozen; in the store where Prefect would refuse its size."""

import asyncio
import hashlib
import json
from typing import Any

from prefect.runtime import flow_run
from pydantic import JsonValue, ValidationError

from hitl_prefect.audits import is_veiled
from hitl_prefect.configured import store_of
from hitl_prefect.detached.asked import Detached
from hitl_prefect.errors import CaseForgotten, HitlError, StoreError
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Sha256
from hitl_prefect.outcomes import Outcome
from hitl_prefect.protocols import Store, erasable
from hitl_prefect.retention import Retention
from hitl_prefect.storing import read_outcome

__all__ = ["ReviewParameters", "discard", "freeze", "settled_before", "thaw"]

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
    members: tuple[str, ...] = ()
    """The ids of the other cases that the form answers, so that a list of runs tells which cases are asked about."""


async def freeze(review: Detached) -> ReviewParameters:
    """The parameters of a review; a large one is put into its store under its sha256.

    So is one of which people are not told why they are asked: the Prefect UI shows the parameters of every run.

    Raises:
        ConfigError: If no other process could find the answer type, or there is no such store.
        StoreError: If the store refused, or is away.
    """
    body = json.dumps(review.packed(), ensure_ascii=False).encode("utf-8", "replace")
    text = body.decode()
    named: dict[str, Any] = {"case": review.case.id, "task": review.case.task, "store": review.store}
    named |= {"batch": review.batch, "members": tuple(one.case.id for one in review.members)}
    # As Prefect measures it: a letter that is not ASCII takes six bytes, and one that is too large has it refuse all.
    if len(json.dumps(text)) <= _LARGEST_BYTES and not is_veiled(review.attempt.route, review.policy):
        return ReviewParameters(**named, asked=text)
    sha256 = hashlib.sha256(body).hexdigest()
    kept = InStore(key=f"drafts/v1/task={review.case.task}/{review.case.id}-{sha256[:16]}.json", sha256=sha256)
    store = await store_of(review.store)
    # A batch that was killed opens reviews again that are settled: what was erased then is not put there anew.
    if review.policy.retention.prompt == "keep" or not await asyncio.to_thread(_is_settled, store, review):
        await asyncio.to_thread(store.put_once, kept.key, body)
    return ReviewParameters(**named, kept=kept)


def _is_settled(store: Store, review: Detached) -> bool:
    """Whether the outcome of this very draft stands."""
    try:
        outcome = read_outcome(store, review.case.task, review.case.id)
    except (CaseForgotten, ValidationError):
        return False
    drafts = (outcome.generation, *(one.generation for one in outcome.earlier)) if outcome else ()
    return review.attempt.generation.sha256 in (one.sha256 for one in drafts)


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


async def discard(parameters: ReviewParameters, retention: Retention) -> str | None:
    """Erase what is kept in the store of a review that is settled, unless the policy keeps prompts.

    Returns:
        What stays, and why; `None` where nothing does.
    """
    if parameters.kept is None or retention.prompt == "keep":
        return None
    store = await store_of(parameters.store)
    stays = f"{parameters.kept.key} in {store.url} holds the whole prompt and stays: delete it by hand"
    try:
        held = await asyncio.to_thread(erasable(store).erase, parameters.kept.key)
    except HitlError as exc:
        return f"{stays} ({exc})"
    why = f"{held} versions of it: a lock of the bucket holds them, or these keys may not delete versions"
    return f"{stays} ({why})" if held else None


async def settled_before(parameters: ReviewParameters) -> Outcome[JsonValue] | None:
    """The outcome that this flow run has stored, for a run that runs again after `discard`; `None` where there is none.

    Raises:
        StoreError: If the store refused, or is away.
    """
    store = await store_of(parameters.store)
    outcome = await asyncio.to_thread(read_outcome, store, parameters.task, parameters.case)
    return outcome if outcome and outcome.flow_run_id == flow_run.id else None


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
