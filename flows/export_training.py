"""Write what people decided as files to train a model on, a new folder each time."""

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from hitl_prefect import export_training


@flow(name="export-training")
def export_for_training(
    task: str, store: str = "outcomes", file_format: str = "trl-sft", out: str = "training", holdout: float = 0.2
) -> str:
    """Schedule it before each training; the folder is named by the time for which the run was scheduled.

    Args:
        task: Whose outcomes.
        store: Where they are: `folder:` path, `s3://` URL, or the name of a saved store block.
        file_format: `trl-sft`, `trl-dpo`, `trl-kto`, `openai-sft` or `openai-dpo`.
        out: Where the new folder is made.
        holdout: The share of prompts to validate on.

    Returns:
        The new folder.
    """
    folder = Path(out) / task / f"{flow_run.scheduled_start_time:%Y-%m-%dT%H-%M-%S}"
    summary = export_training(store, task=task, file_format=file_format, out=folder, holdout=holdout)
    left_out = ", ".join(f"{reason} {count}" for reason, count in summary.left_out.items()) or "nothing"
    get_run_logger().info(
        "%s: %d rows to train on, %d to validate on; left out: %s", folder, summary.train, summary.validation, left_out
    )
    return str(folder)


if __name__ == "__main__":
    export_for_training.serve(name="export-training")
