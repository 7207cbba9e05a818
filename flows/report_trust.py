"""Show how far each task's machine can be trusted, as an artifact of the Prefect UI."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from hitl_prefect import report_trust
from hitl_prefect.trust_tables import as_markdown


@flow(name="report-trust")
def report_on_trust(store: str = "outcomes", task: str | None = None) -> None:
    """Schedule it once a week; the Artifacts page keeps every report under `hitl-trust`.

    Args:
        store: Where the outcomes are: `folder:` path, `s3://` URL, or the name of a saved store block.
        task: Only the outcomes of one task.
    """
    report = report_trust(store, task=task)
    create_markdown_artifact(as_markdown(report), key="hitl-trust", description="How far the machines can be trusted")


if __name__ == "__main__":
    report_on_trust.serve(name="report-trust", interval=7 * 86400)
