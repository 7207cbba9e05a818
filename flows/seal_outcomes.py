"""Name the outcomes of past days in the ledger, so that `hitl verify` finds what is changed or removed later."""

from prefect import flow, get_run_logger

from hitl_prefect import seal_outcomes


@flow(name="seal-outcomes")
def seal_past_days(store: str = "outcomes", task: str | None = None, key: str | None = None) -> None:
    """Schedule it once a day; nothing is changed, and what is sealed already is left alone.

    Args:
        store: Where the outcomes are: `folder:` path, `s3://` URL, or the name of a saved store block.
        task: Only the outcomes of one task.
        key: The name of the key that signs, made on the worker's machine with `hitl keys make`.
    """
    done = seal_outcomes(store, task=task, key=key)
    for one in done.manifests:
        late = ", late" if one.late else ""
        get_run_logger().info("%s, %s: sealed %d%s, head %s", one.task, one.day, one.outcomes, late, one.sha256)
    for broken in done.unreadable:
        get_run_logger().warning("%r was not sealed: %s", broken.key, broken.problem)


if __name__ == "__main__":
    seal_past_days.serve(name="seal-outcomes", interval=86400)
