"""Show how people review, as an artifact of the Prefect UI."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from hitl_prefect import report_reviewers
from hitl_prefect.reviewer_tables import as_markdown


@flow(name="report-reviewers")
def report_on_reviewers(store: str = "outcomes", task: str | None = None) -> None:
    """Schedule it once a week; the Artifacts page keeps every report under `hitl-reviewers`.

    Args:
        store: Where the outcomes are: `folder:` path, `s3://` URL, or the name of a saved store block.
        task: Only the outcomes of one task.
    """
    report = report_reviewers(store, task=task)
    create_markdown_artifact(as_markdown(report), key="hitl-reviewers", description="How people review")


if __name__ == "__main__":
    report_on_reviewers.serve(name="report-reviewers", interval=7 * 86400)
