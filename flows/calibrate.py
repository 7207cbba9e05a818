"""Find the bars that keep what the policies promise, and put them in force."""

from prefect import flow
from prefect.artifacts import create_table_artifact

from hitl_prefect import calibrate
from hitl_prefect.calibration_tables import rows


@flow(name="calibrate")
def calibrate_bars(store: str = "outcomes", task: str | None = None) -> None:
    """Schedule it once a day; the Artifacts page keeps every table under `hitl-bars`.

    Args:
        store: Where outcomes and bars are: `folder:` path, `s3://` URL, or the name of a saved store block.
        task: Only this one.
    """
    found = calibrate(store, task=task)
    create_table_artifact(rows(found), key="hitl-bars", description="The bars in force, and what they rest on")


if __name__ == "__main__":
    calibrate_bars.serve(name="calibrate", interval=86400)
