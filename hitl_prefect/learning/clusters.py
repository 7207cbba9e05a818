"""Clusters of cases that people name and mend, and the labels that come of it.

Such a label says what a person called the cluster; nobody has looked at the case. It is kept apart as `how="cluster"`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.errors import ConfigError, ObjectMissing
from hitl_prefect.frozen import Frozen
from hitl_prefect.learning.labelled import Labelled
from hitl_prefect.models import CaseId, TaskName
from hitl_prefect.outcomes import Outcome
from hitl_prefect.protocols import Store
from hitl_prefect.reading import Unreadable, read_outcomes

__all__ = [
    "Cluster",
    "ClusterName",
    "Clusters",
    "Text",
    "clusters_task",
    "keep_clusters",
    "label_by_cluster",
    "labels_of_clusters",
    "read_clusters",
]

_LONGEST_TASK = 64


class Text(Frozen):
    """A case, as far as clusters go."""

    case_id: CaseId
    text: str = Field(min_length=1)


class Cluster(Frozen):
    """Texts that are alike."""

    members: tuple[Text, ...] = Field(min_length=1)
    """The most typical first."""
    words: tuple[str, ...] = ()
    """What is in its texts more than in others, the most telling first."""


class Clusters(Frozen):
    """All clusters of the cases of a task."""

    kind: Literal["hitl.clusters/v1"] = "hitl.clusters/v1"
    task: TaskName
    clusters: tuple[Cluster, ...]
    """The largest first."""
    silhouette: float = Field(ge=-1, le=1)
    """How much nearer texts are to their own cluster than to the next one: 1 is far apart, 0 is one heap."""

    @property
    def name(self) -> str:
        """Names them by what is in them; 16 characters."""
        return sha256_of(self)[:16]

    @property
    def key(self) -> str:
        """Where they are kept."""
        return _key(self.task, self.name)


class ClusterName(BaseModel):
    """What a person makes of a cluster."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = Field(
        title="Name",
        description="The label of all of its cases. Reject the cluster where it is a mixture that has none.",
        min_length=1,
    )
    does_not_belong: list[str] = Field(
        default_factory=list,
        title="Does not belong",
        description="The ids of cases that are something else: they get no label.",
    )


def clusters_task(task: str) -> str:
    """The task whose outcomes are the names of the clusters of a task.

    >>> clusters_task("support")
    'support-clusters'
    """
    return f"{task[: _LONGEST_TASK - len('-clusters')]}-clusters"


def keep_clusters(store: Store, clusters: Clusters) -> str:
    """Store clusters under what is in them; returns their name.

    Raises:
        StoreError: If the store refused, or is away.
    """
    store.put_once(clusters.key, canonical_bytes(clusters))
    return clusters.name


def read_clusters(store: Store, task: str, name: str) -> Clusters:
    """The clusters of that name.

    Raises:
        ConfigError: If they are gone, or were changed.
        StoreError: If the store is away, or lets nobody read.
    """
    key = _key(task, name)
    try:
        found = Clusters.model_validate_json(store.get(key))
    except ObjectMissing as exc:
        raise ConfigError(f"{store.url} holds no {key!r}: cluster the cases anew") from exc
    except ValidationError as exc:
        raise ConfigError(f"{key!r} holds no clusters: cluster the cases anew") from exc
    if found.key != key:
        raise ConfigError(f"{key!r} was changed after it was stored: cluster the cases anew")
    return found


def label_by_cluster(clusters: Clusters, names: Mapping[int, ClusterName]) -> list[Labelled]:
    """A label for each case of each named cluster, but for those that do not belong.

    Args:
        clusters: What was named.
        names: By the number of the cluster, from 0.

    >>> one = Cluster(members=(Text(case_id="c1", text="Where is it?"), Text(case_id="c2", text="Thanks!")))
    >>> found = Clusters(task="mail", clusters=(one,), silhouette=0)
    >>> [label.case_id for label in label_by_cluster(found, {0: ClusterName(name="where", does_not_belong=["c2"])})]
    ['c1']
    """
    return [
        Labelled(one.case_id, one.text, names[number].name, "cluster")
        for number, cluster in enumerate(clusters.clusters)
        if number in names
        for one in cluster.members
        if one.case_id not in names[number].does_not_belong
    ]


def labels_of_clusters(store: Store, task: str) -> list[Labelled]:
    """The labels of all clusters of a task that people have named; a case in several is told once per naming, in order.

    Raises:
        ConfigError: If clusters that were named are gone, or were changed.
        StoreError: If the store is away, or lets nobody read.
    """
    named: dict[str, dict[int, ClusterName]] = {}
    decided = [one for one in read_outcomes(store, clusters_task(task)) if not isinstance(one, Unreadable)]
    for outcome in sorted(decided, key=lambda one: one.decided_at):
        if (found := _name_in(outcome)) is not None:
            clusters, number, name = found
            named.setdefault(clusters, {})[number] = name
    return [label for one, names in named.items() for label in label_by_cluster(read_clusters(store, task, one), names)]


def _name_in(outcome: Outcome) -> tuple[str, int, ClusterName] | None:
    """Of which clusters, which one, and what a person called it; `None` where nobody did."""
    facts = outcome.case.metadata
    clusters, number = facts.get("clusters"), facts.get("cluster")
    if outcome.decided_by not in ("human", "quorum", "audit") or outcome.final_answer is None:
        return None
    if not isinstance(clusters, str) or not isinstance(number, int):
        return None
    try:
        return clusters, number, ClusterName.model_validate(outcome.final_answer)
    except ValidationError:
        return None


def _key(task: str, name: str) -> str:
    return f"clusters/v1/task={task}/{name}.json"
