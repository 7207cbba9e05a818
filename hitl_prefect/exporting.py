"""Training files of a task, from a store that is named as in a flow."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.configured import store_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.protocols import Store
from hitl_prefect.reading import read_outcomes
from hitl_prefect.training import FileFormat, Tag, TrainingFiles, TrainingSummary, training_files

__all__ = ["aexport_training", "export_training"]


async def aexport_training(
    store: str,
    *,
    task: str,
    file_format: FileFormat,
    out: str | Path | None,
    include: Sequence[Tag] = (),
    holdout: float = 0.2,
) -> TrainingSummary:
    """Write what people decided as files to train and validate a model on.

    Learnt from is what people looked at: drafts that they approved, corrected or rejected in a filled-in form, and
    answers given where there was no draft. Left out unless included: `anchored` (approved sooner than it can be read),
    `bulk`, `deadline`, `policy` and `accepted`, where nobody looked, and `audit`, the honest sample to measure on.

    Args:
        store: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Whose outcomes.
        file_format: `trl-sft`, `trl-dpo`, `trl-kto`, `openai-sft` or `openai-dpo`.
        out: A new folder for the files, which appears whole or not at all; `None` writes nothing.
        include: What else to learn from.
        holdout: The share of prompts that goes to `validation.jsonl`, in [0, 1).

    Returns:
        What is in the files, and what was left out and why.

    Raises:
        ConfigError: If there is no such store, format or tag, no outcome, or the folder is not new or cannot be made.
        StoreError: If the store is down, or lets nobody list.
    """
    target = None if out is None else _new_folder(out)
    source = await store_of(store)
    files = await asyncio.to_thread(_files, source, task, file_format, include=include, holdout=holdout)
    if not files.summary.outcomes and not files.summary.unreadable:
        raise ConfigError(f"no outcome of task {task!r} is stored in {source.url}: is it the right store and task?")
    if target is not None:
        await asyncio.to_thread(files.write, target)
    return files.summary


def export_training(
    store: str,
    *,
    task: str,
    file_format: FileFormat,
    out: str | Path | None,
    include: Sequence[Tag] = (),
    holdout: float = 0.2,
) -> TrainingSummary:
    """The same as `aexport_training`, for a flow that is not async."""
    return run_coro_as_sync(
        aexport_training(store, task=task, file_format=file_format, out=out, include=include, holdout=holdout)
    )


def _files(
    store: Store, task: str, file_format: FileFormat, *, include: Sequence[Tag], holdout: float
) -> TrainingFiles:
    outcomes = read_outcomes(store, task)
    return training_files(outcomes, task=task, file_format=file_format, include=include, holdout=holdout)


def _new_folder(out: str | Path) -> Path:
    """Refused before anything is read: tens of thousands of outcomes take minutes."""
    folder = Path(out).expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{str(folder)!r} holds something already, and is not overwritten: give a new folder")
    return folder
