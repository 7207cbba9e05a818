"""That the last review of a batch is settled: said once, whoever settles it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args
from uuid import NAMESPACE_URL, UUID, uuid5
from weakref import WeakKeyDictionary

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import get_logger

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.canonical import sha256_of
from hitl_prefect.detached.batch_rows import anote_told, asummaries, auntold
from hitl_prefect.events import event_of_run, post_events
from hitl_prefect.outcomes import Settlement
from hitl_prefect.signposts import WAITING, batch_tag, decision_tag
from hitl_prefect.together import Together

__all__ = ["Standing", "artifact_key", "astanding", "atell_batch_end"]

_ENDED = sorted(kind.value for kind in TERMINAL_STATES)
_ENDED_BADLY = [kind for kind in _ENDED if kind != "COMPLETED"]
_APART_S = 0.5
"""Between two looks: each has the server read the tags of every review that there is."""


def artifact_key(batch: str) -> str:
    """Under which key the summary of a batch stands among the artifacts."""
    return f"hitl-batch-{batch}"


async def atell_batch_end(client: PrefectClient, batch_run_id: str, batch: str) -> bool:
    """Tell the batch's summary once its last review is settled; whether it was told now.

    Told are the artifact `hitl-batch-<batch>`, anew and with how the reviews ended, and the event `hitl.batch.ended`.
    Reviews that are settled beside each other look together. What goes wrong is logged and fails no review. That it was
    told is noted last: whoever dies in between, or is cut off from the server, leaves it to be told again.
    """
    if not batch_run_id:
        return False
    looked = _Look(client, batch_run_id, batch)
    return looked.batch in await _looks.setdefault(client, Together(_look, apart_s=_APART_S)).give(looked)


class Standing(NamedTuple):
    """How the batches stand that a flow run has resolved."""

    summaries: tuple[BatchSummary, ...]
    """With how the reviews ended, once all have."""
    open: int
    """Reviews in flow runs of their own that have not ended."""
    lost: int
    """Those whose flow run failed, crashed or was cancelled."""


async def astanding(client: PrefectClient, run_id: UUID) -> Standing:
    """How all batches stand that a flow run has resolved; without a summary where it has resolved none."""
    found = await asummaries(client, run_id)
    if not found:
        return Standing((), 0, 0)
    any_of_them = {"any_": [batch_tag(batch) for batch in found]}
    left = await _count_where(client, any_of_them, {"type": {"not_any_": _ENDED}})
    lost = await _count_where(client, any_of_them, {"type": {"any_": _ENDED_BADLY}})
    people = {} if left else {batch: await _people(client, batch) for batch in found}
    told = (one.model_copy(update={"people": people.get(batch, {})}) for batch, one in found.items())
    return Standing(tuple(told), left, lost)


class _Look(NamedTuple):
    client: PrefectClient
    run_id: str
    batch: str


_looks: "WeakKeyDictionary[PrefectClient, Together[_Look, set[str]]]" = WeakKeyDictionary()
"""By client, and so by event loop."""


async def _look(given: Sequence[_Look]) -> set[str]:
    """Those of the batches whose end was told now."""
    return {one.batch for one in dict.fromkeys(given) if await _look_at(one)}


async def _look_at(one: _Look) -> bool:
    try:
        if await _count(one.client, one.batch, WAITING):
            return False
        return await _tell(one.client, UUID(one.run_id), one.batch)
    except (PrefectHTTPStatusError, httpx.TransportError, ValueError) as exc:
        # The class alone: an error of the server repeats what was sent.
        get_logger("hitl").warning("the end of batch %s could not be told (%s)", one.batch, type(exc).__name__)
        return False


async def _tell(client: PrefectClient, run_id: UUID, batch: str) -> bool:
    left = await auntold(client, run_id, batch)
    if left is None:
        return False
    summary = await _closed(client, left)
    await _show(client, run_id, summary)
    await _send(client, run_id, summary)
    return await anote_told(client, run_id, left)


async def _closed(client: PrefectClient, summary: BatchSummary) -> BatchSummary:
    return summary.model_copy(update={"people": await _people(client, summary.batch), "ended_at": datetime.now(UTC)})


async def _people(client: PrefectClient, batch: str) -> dict[str, int]:
    """How many reviews ended in which decision."""
    decisions = get_args(Settlement.model_fields["decision"].annotation)
    counted = {one: await _count(client, batch, decision_tag(one)) for one in decisions if one != "retry"}
    return {one: count for one, count in counted.items() if count}


async def _count(client: PrefectClient, batch: str, tag: str) -> int:
    # Who cancels a review that waits leaves its tags as they are.
    return await _count_where(client, {"all_": [batch_tag(batch), tag]}, {"type": {"not_any_": ["CANCELLED"]}})


async def _count_where(client: PrefectClient, tags: dict[str, Any], state: dict[str, Any]) -> int:
    found = await client.request("POST", "/flow_runs/count", json={"flow_runs": {"tags": tags, "state": state}})
    return int(found.raise_for_status().json())


async def _show(client: PrefectClient, run_id: UUID, summary: BatchSummary) -> None:
    made = ArtifactCreate(
        key=artifact_key(summary.batch),
        type="markdown",
        data=summary.markdown(),
        description=f"Batch {summary.batch} of {summary.task}: every review is settled",
        flow_run_id=run_id,
    )
    await client.create_artifact(made)


async def _send(client: PrefectClient, run_id: UUID, summary: BatchSummary) -> None:
    event = event_of_run(
        run_id,
        "hitl.batch.ended",
        event_id=_event_id(run_id, summary),
        resource=f"hitl.batch.{summary.batch}",
        title=f"{summary.task}/{summary.batch}",
        task=summary.task,
        payload=summary.model_dump(mode="json"),
    )
    await post_events(client, [event])


def _event_id(run_id: UUID, summary: BatchSummary) -> UUID:
    """The same for the same end, whoever tells it and however long it took; another where the batch went on."""
    end = summary.model_dump(mode="json", exclude={"seconds", "ended_at"})
    return uuid5(NAMESPACE_URL, f"{run_id}/hitl-batch-ended/{sha256_of(end)}")
