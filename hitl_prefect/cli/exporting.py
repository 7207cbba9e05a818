"""`hitl export`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.cli.forgetting import tell_forgotten
from hitl_prefect.cli.printing import AsJson, print_json, say, table
from hitl_prefect.errors import ConfigError
from hitl_prefect.exporting import aexport_training
from hitl_prefect.inert import visible
from hitl_prefect.shares import counted
from hitl_prefect.training import FileFormat, LeftOut, Tag, TrainingSummary

__all__ = ["export"]

_WHY: dict[LeftOut, str] = {
    "accepted": "nobody looked: the model's answer was accepted",
    "anchored": "approved sooner than it can be read",
    "audit": "an audit, kept to measure on",
    "bulk": "answered together with others",
    "deadline": "the deadline decided",
    "image": "the prompt shows a picture, which the format does not take",
    "no_answer": "rejected: there is no answer to learn",
    "no_pair": "no draft was corrected: there are no two answers",
    "policy": "the policy decided",
    "no_prompt": "the policy kept no prompt",
    "same_prompt": "a later outcome answers the same prompt",
    "unfit": "the row would not be valid, such as an empty answer",
}


async def export(
    store: str,
    *,
    task: str,
    file_format: Annotated[FileFormat, Parameter(name="--format")],
    out: Path | None = None,
    include: Annotated[tuple[Tag, ...], Parameter(negative=())] = (),
    holdout: float = 0.2,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
) -> int:
    """Write what people decided as files to train a model on.

    Args:
        store: Where the outcomes are: folder: path, s3:// URL, or the name of a saved block.
        task: Whose outcomes.
        file_format: Who reads the files.
        out: A new folder for the files.
        include: What else to learn from; repeat it. Left out unless named: anchored, bulk, deadline, policy, accepted
            and audit.
        holdout: The share of prompts that goes to validation.jsonl.
        dry_run: Write nothing, and tell what would be written.
        json: Print JSON.
    """
    if out is None and not dry_run:
        raise ConfigError("give a new folder for the files (--out), or --dry-run")
    target = None if dry_run else out
    summary = await aexport_training(
        store, task=task, file_format=file_format, out=target, include=include, holdout=holdout
    )
    if json:
        print_json(summary)
    else:
        _tell(summary, target)
        await tell_forgotten(store, task)
    return 0


def _tell(summary: TrainingSummary, out: Path | None) -> None:
    where = f"written to {out}" if out else "would be written"
    say(f"{counted(summary.train, 'row')} to train on and {summary.validation:,} to validate on {where}.")
    say(f"Read: {counted(summary.outcomes, 'outcome')} of task {visible(summary.task)}.")
    if summary.left_out:
        rows = [
            {"left out": count, "reason": reason, "why": _WHY[reason]} for reason, count in summary.left_out.items()
        ]
        say(f"\n{table(rows)}")
    if summary.unreadable:
        rows = [{"unreadable": visible(one.key), "why": visible(one.problem)} for one in summary.unreadable]
        say(f"\n{table(rows)}")
