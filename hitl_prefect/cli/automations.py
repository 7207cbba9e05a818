"""`hitl init-automations`."""

from typing import Annotated

from cyclopts import Parameter
from pydantic import TypeAdapter, ValidationError

from hitl_prefect.automations import TOLD, asave_automations
from hitl_prefect.cli.printing import AsJson, print_json, say, table
from hitl_prefect.models import TaskName, as_slug

__all__ = ["init_automations"]


def _check(_hint: object, text: str) -> None:
    unknown = [name for name in text.split(",") if name not in TOLD]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no event: choose of {','.join(TOLD)}")


def _check_task(_hint: object, text: str | None) -> None:
    # No review has another task, so that its automations would never send anything.
    try:
        TypeAdapter(TaskName | None).validate_python(text)
    except ValidationError:
        raise ValueError(f"{text!r} is no task: did you mean {as_slug(text or '')!r}?") from None


async def init_automations(
    *,
    block: str,
    task: Annotated[str | None, Parameter(validator=_check_task)] = None,
    on: Annotated[str, Parameter(validator=_check)] = "opened,reminded,widened,escalated,overdue,drift-alarm",
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
) -> int:
    """Have people told about reviews and alarms: one automation of Prefect per event, safe to run twice.

    Args:
        block: The saved notification block that sends, as TYPE/NAME: slack-webhook/reviewers.
        task: Only of this task. Default: of every task.
        on: What is told, with commas between: opened, reminded, widened, escalated, overdue, settled, policy-changed,
            drift-alarm, batch-ended.
        dry_run: Only say what would be done.
        json: Print JSON.
    """
    planned = await asave_automations(
        block, on=[told for told in TOLD if told in on.split(",")], task=task, dry_run=dry_run
    )
    if json:
        print_json({"automations": planned})
        return 0
    say(table([{"automation": one.name, "is": _done(one.does, dry_run)} for one in planned]))
    return 0


def _done(does: str, dry_run: bool) -> str:
    if does == "nothing":
        return "as wanted"
    return f"to {does}" if dry_run else f"{does}d"
