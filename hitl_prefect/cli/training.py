"""`hitl train`."""

from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.classifying import Trained, atrain
from hitl_prefect.cli.forgetting import tell_forgotten
from hitl_prefect.cli.printing import AsJson, print_json, say
from hitl_prefect.shares import counted

__all__ = ["train"]

Switch = Annotated[bool, Parameter(negative=())]


async def train(
    *, store: str, task: str, clusters: Switch = False, dry_run: Switch = False, json: AsJson = False
) -> int:
    """Train a classifier on what people decided, and store it as the next version of the task's model.

    Args:
        store: Where the outcomes are: folder: path, s3:// URL, or the name of a saved block.
        task: Whose outcomes; their answers are labels.
        clusters: Train on the labels of whole clusters too.
        dry_run: Train and test, and store nothing.
        json: Print JSON.
    """
    trained = await atrain(store, task=task, clusters=clusters, dry_run=dry_run)
    if json:
        print_json(trained)
    else:
        _tell(trained)
        await tell_forgotten(store, task)
    return 0


def _tell(trained: Trained) -> None:
    kinds = ", ".join(f"{count} {how}" for how, count in trained.trained_on.items())
    total = counted(sum(trained.trained_on.values()), "label")
    say(f"Trained on {total} ({kinds}) of {counted(len(trained.labels), 'kind')}.")
    held = trained.held_out
    tested = "audited cases" if held.by == "audits" else "cases kept out"
    say(f"Right on {held.right.told()} {tested}, 95% interval {held.low:.0%} to {held.high:.0%}.")
    say(f"Always saying the most frequent label: {held.guessing.told()}.")
    if trained.unreadable:
        say(f"Not read: {counted(trained.unreadable, 'object')}; `hitl verify` names them.")
    say(f"Version {trained.version}: model={trained.model!r}" if trained.model else "Nothing was stored: a dry run.")
