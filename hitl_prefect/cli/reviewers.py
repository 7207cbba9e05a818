"""`hitl reviewers`."""

from hitl_prefect.cli.forgetting import tell_forgotten
from hitl_prefect.cli.printing import AsJson, print_json, say, table
from hitl_prefect.reporting import areport_reviewers
from hitl_prefect.reviewer_tables import headline, tables

__all__ = ["reviewers"]


async def reviewers(store: str, *, task: str | None = None, json: AsJson = False) -> int:
    """Report how people review: overriding, agreement, mistakes let pass, anchoring, time.

    Args:
        store: Where the outcomes are: folder: path, s3:// URL, or the name of a saved block.
        task: Only the outcomes of one task.
        json: Print JSON.
    """
    report = await areport_reviewers(store, task=task)
    if json:
        print_json(report)
        return 0
    where = f"in {store}" + (f" of task {task}" if task else "")
    if not report.outcomes and not report.unreadable:
        say(f"No outcome {where}.")
        return 0
    say(f"{headline(report)}, {where}")
    for one in tables(report):
        say(f"\n{one.title}\n\n{table(one.rows)}")
    await tell_forgotten(store, task)
    return 0
