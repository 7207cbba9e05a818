"""Find clusters in a file of cases, and have people name them: many labels for few answers."""

from prefect import flow

from hitl_prefect import NamedClusters, Policy, name_clusters

ANYBODY = Policy()


@flow(name="name-clusters")
def name_the_clusters(
    source: str,
    task: str = "support",
    store: str = "outcomes",
    fewest: int = 2,
    most: int = 20,
    policy: Policy = ANYBODY,
    work_pool: str = "hitl-reviews",
) -> NamedClusters:
    """Open a form per cluster; started again with the same file it tells how many are named.

    Args:
        source: Path or `s3://` URL of JSONL, CSV or Parquet.
        task: What kind of cases these are.
        store: `folder:` path, `s3://` URL, or the name of a saved store block.
        fewest: The least number of clusters.
        most: The largest.
        policy: Who is asked.
        work_pool: Where reviews go on once somebody has answered.
    """
    return name_clusters(source, task=task, store=store, fewest=fewest, most=most, policy=policy, work_pool=work_pool)


if __name__ == "__main__":
    name_the_clusters.serve(name="name-clusters", limit=1)
