"""Keep reviews moving: deadlines act, runs whose process died go on, and the inbox in the UI is current."""

from prefect import flow, get_run_logger

from hitl_prefect import end_overdue_reviews, refresh_inbox, revive_dead_runs


@flow(name="chase-reviews")
def chase_reviews() -> None:
    """Schedule it every few minutes."""
    for one in end_overdue_reviews():
        get_run_logger().info("%s/%s: nobody came before %s", one.task, one.case, one.deadline_at)
    for run_id in revive_dead_runs():
        get_run_logger().warning("flow run %s: its process died, it was scheduled anew", run_id)
    refresh_inbox()


if __name__ == "__main__":
    chase_reviews.serve(name="chase-reviews", interval=300)
