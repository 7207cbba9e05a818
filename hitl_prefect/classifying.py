"""Train a task's classifier on the outcomes of a store that is named as in a flow, and keep it there."""

import asyncio
from collections.abc import Iterable

from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue

from hitl_prefect.configured import store_of
from hitl_prefect.frozen import Frozen
from hitl_prefect.learning import (
    HeldOut,
    Labelled,
    TextClassifier,
    keep_model,
    labelled,
    labels_of_clusters,
    train_classifier,
)
from hitl_prefect.outcomes import Outcome
from hitl_prefect.protocols import Store
from hitl_prefect.reading import Unreadable, read_outcomes

__all__ = ["Trained", "atrain", "labels_in", "train"]


class Trained(Frozen):
    """What was trained, and how it does."""

    task: str
    model: str | None
    """What to write as `model`, such as `embedded:support@folder:outcomes`; `None` of a dry run."""
    version: int | None
    """Of the stored model, from 1; `None` of a dry run."""
    labels: tuple[str, ...]
    trained_on: dict[str, int]
    """How many labels of each kind: `prefilled`, `blind`, `cluster` and so on."""
    held_out: HeldOut
    unreadable: int
    """Objects among the outcomes that are none."""


async def atrain(store: str, *, task: str, clusters: bool = False, dry_run: bool = False) -> Trained:
    """Train a classifier on what people decided, and store it as the next version of the task's model.

    Args:
        store: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Whose outcomes; their answers are labels.
        clusters: Whether to train on the labels of whole clusters too; they are never tested on.
        dry_run: Train and test, and store nothing.

    Raises:
        ConfigError: If there are too few labels, or no such store.
        MissingExtra: If scikit-learn is not installed.
        StoreError: If the store is down, or lets nobody read or write.
    """
    target = await store_of(store)
    made, unreadable = await asyncio.to_thread(_trained, target, task, clusters=clusters)
    kept = None if dry_run else await asyncio.to_thread(keep_model, target, made)
    return Trained(
        task=task,
        model=f"embedded:{task}@{store}" if kept else None,
        version=kept.version if kept else None,
        labels=made.labels,
        trained_on=made.trained_on,
        held_out=made.held_out,
        unreadable=unreadable,
    )


def train(store: str, *, task: str, clusters: bool = False, dry_run: bool = False) -> Trained:
    """The same as `atrain`, for a flow that is not async."""
    return run_coro_as_sync(atrain(store, task=task, clusters=clusters, dry_run=dry_run))


def _trained(store: Store, task: str, *, clusters: bool) -> tuple[TextClassifier, int]:
    own, unreadable = labels_in(read_outcomes(store, task))
    of_clusters = labels_of_clusters(store, task) if clusters else []
    # A person's own label of a case counts, whatever its cluster was called.
    return train_classifier([*of_clusters, *own], task=task), unreadable


def labels_in(found: Iterable[Outcome[JsonValue] | Unreadable]) -> tuple[list[Labelled], int]:
    """The labels that people gave, and how many objects could not be read."""
    unreadable = 0
    labels: list[Labelled] = []
    for one in found:
        if isinstance(one, Unreadable):
            unreadable += 1
        else:
            labels += labelled([one])
    return labels, unreadable
