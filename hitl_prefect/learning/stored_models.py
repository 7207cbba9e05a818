"""Trained classifiers in a store, version by version: `models/v1/task=<task>/000001.json`, and none is ever changed."""

from hitl_prefect.errors import ConfigError, ObjectMissing, StoreUnavailable
from hitl_prefect.frozen import Frozen
from hitl_prefect.learning.text_classifier import TextClassifier
from hitl_prefect.numbered import TRIES, newest_number, numbered_key, put_from
from hitl_prefect.protocols import Store

__all__ = ["StoredModel", "keep_model", "newest_version", "read_model"]

_KIND = "models"


class StoredModel(Frozen):
    """A version of a classifier."""

    version: int
    """From 1."""
    classifier: TextClassifier

    @property
    def name(self) -> str:
        """The model's name in generations: `support/000003`, so that evidence for one version is not another's."""
        return f"{self.classifier.task}/{self.version:06d}"


def keep_model(store: Store, classifier: TextClassifier) -> StoredModel:
    """Store a classifier as the next version of its task; the very same as the newest one is not stored again.

    Raises:
        StoreError: If the store refused, or is away; or other trainings took the next five versions meanwhile.
    """
    newest = newest_version(store, classifier.task)
    if newest and store.get(_key(classifier.task, newest)) == classifier.stored:
        return StoredModel(version=newest, classifier=classifier)
    version = put_from(store, _KIND, classifier.task, newest + 1, lambda _: classifier.stored)
    if version is None:
        raise StoreUnavailable(
            f"task {classifier.task!r}: other trainings took {TRIES} versions meanwhile; train again"
        )
    return StoredModel(version=version, classifier=classifier)


def newest_version(store: Store, task: str) -> int:
    """The number of the newest version; 0 where there is none."""
    return newest_number(store, _KIND, task)


def read_model(store: Store, task: str, version: int | None = None) -> StoredModel:
    """A version of a task's classifier, the newest one by default.

    Raises:
        ConfigError: If there is none, or what stands there is no classifier of the task.
        StoreError: If the store is away, or lets nobody read.
    """
    wanted = version or newest_version(store, task)
    key = _key(task, wanted)
    try:
        classifier = TextClassifier.read(store.get(key), where=key)
    except ObjectMissing as exc:
        raise ConfigError(
            f"{store.url} holds no {key!r}: train one with `hitl train --store {store.url} --task {task}`"
        ) from exc
    if classifier.task != task:
        raise ConfigError(f"{key!r} holds a classifier of task {classifier.task!r}: somebody copied it there")
    return StoredModel(version=wanted, classifier=classifier)


def _key(task: str, version: int) -> str:
    return numbered_key(_KIND, task, version)
