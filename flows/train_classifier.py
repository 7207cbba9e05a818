"""Train a classifier on what people decided, and keep it as the next version of the task's model."""

from prefect import flow, get_run_logger

from hitl_prefect import Trained, train


@flow(name="train-classifier")
def train_a_classifier(store: str = "outcomes", task: str = "support", clusters: bool = False) -> Trained:
    """Schedule it once a week; flows name the newest version as `model="embedded:support@outcomes"`.

    Args:
        store: Where the outcomes are: `folder:` path, `s3://` URL, or the name of a saved store block.
        task: Whose outcomes; their answers are labels.
        clusters: Train on the labels of whole clusters too.
    """
    trained = train(store, task=task, clusters=clusters)
    held = trained.held_out
    get_run_logger().info(
        "%s, version %s: right on %s kept out, 95%% interval %.3f to %.3f",
        task,
        trained.version,
        held.right,
        held.low,
        held.high,
    )
    return trained


if __name__ == "__main__":
    train_a_classifier.serve(name="train-classifier", interval=7 * 86400)
