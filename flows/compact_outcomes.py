"""Copy the outcomes of past days into Parquet, so that reports read them in seconds and SQL reads them at all."""

from prefect import flow, get_run_logger

from hitl_prefect import compact_outcomes


@flow(name="compact-outcomes")
def compact_past_days(store: str = "outcomes", task: str | None = None) -> None:
    """Schedule it once a day; nothing is moved or deleted, and what is there already is left alone.

    Args:
        store: Where the outcomes are: `folder:` path, `s3://` URL, or the name of a saved store block.
        task: Only the outcomes of one task.
    """
    done = compact_outcomes(store, task=task)
    for one in done.days:
        get_run_logger().info("%s, %s: copied %d into %s", one.task, one.date, one.outcomes, one.key)
    for broken in done.unreadable:
        get_run_logger().warning("%r was not copied: %s", broken.key, broken.problem)


if __name__ == "__main__":
    compact_past_days.serve(name="compact-outcomes", interval=86400)
