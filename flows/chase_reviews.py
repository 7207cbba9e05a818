"""Keep reviews moving: people are reminded, deadlines act, dead runs go on, and the inbox in the UI is current."""

from prefect import flow, get_run_logger

from hitl_prefect import end_overdue_reviews, refresh_inbox, remind_reviewers, repair_reviews, revive_dead_runs


@flow(name="chase-reviews")
def chase_reviews() -> None:
    """Schedule it every few minutes; nothing happens twice when two run at once."""
    for run_id in repair_reviews():
        get_run_logger().warning("flow run %s: its review was half opened, it can be answered now", run_id)
    # Deadlines first: who is too late is not reminded.
    for one in [*end_overdue_reviews(), *remind_reviewers()]:
        get_run_logger().info("%s/%s, flow run %s: %s", one.task, one.case, one.run_id, one.did)
    for run_id in revive_dead_runs():
        get_run_logger().warning("flow run %s: its process died, it was scheduled anew", run_id)
    refresh_inbox()


if __name__ == "__main__":
    chase_reviews.serve(name="chase-reviews", interval=300)
