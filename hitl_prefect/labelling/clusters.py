"""Have people name clusters: one form for each, with its words and the texts that show what it is."""

import asyncio
from collections.abc import Sequence

from prefect.client.orchestration import get_client
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.configured import policy_of, store_of
from hitl_prefect.detached import Detached, aopen_reviews
from hitl_prefect.detached.deployment import POOL
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import short
from hitl_prefect.labelling.asked import asked_before
from hitl_prefect.labelling.pool import read_texts
from hitl_prefect.labelling.undrafted import NOBODY, undrafted
from hitl_prefect.learning import (
    Cluster,
    ClusterName,
    Clusters,
    Text,
    cluster_cases,
    clusters_task,
    keep_clusters,
    labels_of_clusters,
    text_of,
)
from hitl_prefect.models import Case, Route
from hitl_prefect.opening import check_asking
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.protocols import Store
from hitl_prefect.sources import Source

__all__ = ["NamedClusters", "aname_clusters", "name_clusters"]

_TYPICAL = 6
_LEAST_TYPICAL = 4
"""Texts shown of a cluster: what it is, and what may not belong."""
_LONGEST = 200
"""Characters shown of a text."""


class NamedClusters(Frozen):
    """Where the naming stands."""

    clusters: str
    """The name of the clusters; the same cases have the same ones."""
    count: int
    """How many there are."""
    silhouette: float
    """How far apart they are, in [-1, 1]."""
    open: int
    """Forms that wait for a person."""
    labels: int
    """Cases with a label that a person gave to their cluster."""
    bad_lines: int = 0
    """Lines of the source that tell no case, and cases without any text."""


async def aname_clusters(
    source: Source,
    *,
    task: str,
    store: str,
    fewest: int = 2,
    most: int = 20,
    policy: Policy | str = REVIEW_ALL,
    work_pool: str = POOL,
) -> NamedClusters:
    """Cluster the cases and open a form for each cluster; called again with the same cases, tells how far it is.

    The names are outcomes of the task `<task>-clusters`. `train(..., clusters=True)` learns from them.

    Args:
        source: The cases, as `read_cases` takes them.
        task: What kind of cases these are, as a slug.
        store: Where clusters and outcomes are kept: `folder:` path, `s3://` URL, or the name of a saved block.
        fewest: The least number of clusters, at least 2.
        most: The largest; the number with the highest silhouette is taken.
        policy: Who is asked, or the name of a saved block.
        work_pool: Where reviews go on once somebody has answered: the pool of `hitl worker`.

    Raises:
        ConfigError: If something is missing or cannot be honoured; before anybody is asked.
        MissingExtra: If scikit-learn is not installed.
        StoreError: If the store refused, or is away.
        ReviewError: If a form could not be opened, after retries.
    """
    people = (await policy_of(policy)).model_copy(update={"max_attempts": 1})
    any_case = Case(id="any", task=clusters_task(task), prompt="any", answer=ClusterName)
    await check_asking(any_case, people, store=store)
    target = await store_of(store)
    cases, bad = await asyncio.to_thread(read_texts, source, task=task)
    found = await asyncio.to_thread(_kept, target, cases, task, fewest, most)
    reviews = [_review(found, number, people, store) for number in range(len(found.clusters))]
    await aopen_reviews(reviews, work_pool=work_pool)
    async with get_client() as client:
        asked = await asked_before(client, clusters_task(task), found.name)
    return NamedClusters(
        clusters=found.name,
        count=len(found.clusters),
        silhouette=found.silhouette,
        open=len(asked.open),
        labels=len({one.case_id for one in await asyncio.to_thread(labels_of_clusters, target, task)}),
        bad_lines=bad,
    )


def name_clusters(
    source: Source,
    *,
    task: str,
    store: str,
    fewest: int = 2,
    most: int = 20,
    policy: Policy | str = REVIEW_ALL,
    work_pool: str = POOL,
) -> NamedClusters:
    """The same as `aname_clusters`, for a flow that is not async."""
    return run_coro_as_sync(
        aname_clusters(source, task=task, store=store, fewest=fewest, most=most, policy=policy, work_pool=work_pool)
    )


def _kept(store: Store, cases: Sequence[Case], task: str, fewest: int, most: int) -> Clusters:
    texts = [Text(case_id=one.id, text=text_of(one.messages)) for one in cases]
    found = cluster_cases(texts, task=task, fewest=fewest, most=most)
    keep_clusters(store, found)
    return found


def _review(found: Clusters, number: int, policy: Policy, store: str) -> Detached:
    cluster = found.clusters[number]
    case = Case(
        id=f"{found.name}-{number}",
        task=clusters_task(found.task),
        prompt=_shown(cluster),
        answer=ClusterName,
        metadata={"clusters": found.name, "cluster": number, "cases": len(cluster.members)},
    )
    route = Route(action="review", reason="cold_start", propensity=1.0, policy_version=policy.version)
    attempt = undrafted(case, route, why="a cluster has no name yet: give it one")
    return Detached(case=case, attempt=attempt, policy=policy, model=NOBODY, store=store, batch=found.name)


def _shown(cluster: Cluster) -> str:
    """What a person names it by."""
    typical = cluster.members[:_TYPICAL]
    others = cluster.members[_TYPICAL:][-_LEAST_TYPICAL:]
    parts = [
        f"A cluster of {len(cluster.members)} cases. What is it about, and which of these is something else?",
        f"Words that mark it: {', '.join(cluster.words)}" if cluster.words else "",
        "\n".join(["The most typical:", *map(_line, typical)]),
        "\n".join(["The least typical:", *map(_line, others)]) if others else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _line(one: Text) -> str:
    return f"[{one.case_id}] {short(' '.join(one.text.split()), _LONGEST)}"
