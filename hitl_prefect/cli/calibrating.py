"""`hitl calibrate`."""

from typing import Annotated

from cyclopts import Parameter

from hitl_prefect.calibrating import acalibrate
from hitl_prefect.calibration_tables import headlines, rows
from hitl_prefect.cli.printing import AsJson, print_json, say, table
from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Promise

__all__ = ["calibrate"]

Flag = Annotated[bool, Parameter(negative=())]


async def calibrate(
    store: str,
    *,
    task: str | None = None,
    max_error: float | None = None,
    confidence_level: float = 0.9,
    dry_run: Flag = False,
    json: AsJson = False,
) -> int:
    """Find the bars that keep what the policies promise, and put them in force for runs that begin from now.

    Args:
        store: Where outcomes and bars are: folder: path, s3:// URL, or the name of a saved block.
        task: Only this one.
        max_error: Promise this share of wrong answers; by default what the policies promised that cases were routed by.
        confidence_level: With --max-error: how probable it is that the bar keeps it.
        dry_run: Only say what would be in force.
        json: Print JSON.
    """
    found = await acalibrate(store, task=task, promise=_promise(max_error, confidence_level), dry_run=dry_run)
    if json:
        print_json(found)
        return 0
    if not found.tasks:
        say(
            f"No policy has promised anything in {store}{f' of task {task}' if task else ''}: give flows a "
            "Policy(max_error=...), or name one here with --max-error."
        )
    for line in headlines(found, dry_run=dry_run):
        say(line)
    if found.tasks:
        say(f"\n{table(rows(found))}")
    return 0


def _promise(max_error: float | None, confidence_level: float) -> Promise | None:
    if max_error is None:
        return None
    if not (0 < max_error < 1 and 0 < confidence_level < 1):
        raise ConfigError(
            f"--max-error {max_error:g} and --confidence-level {confidence_level:g}: give two numbers between 0 and 1"
        )
    return Promise(max_error=max_error, confidence_level=confidence_level)
