"""`hitl inbox`."""

from datetime import UTC, datetime

from hitl_prefect.cli.printing import AsJson, print_json, say, table
from hitl_prefect.inbox import Waiting, ainbox

__all__ = ["age", "inbox", "waiting_table"]


async def inbox(*, json: AsJson = False) -> int:
    """List what waits for a person, the longest waiting first.

    Args:
        json: Print JSON.
    """
    waiting = await ainbox()
    if json:
        print_json({"waiting": waiting})
    elif waiting:
        say(waiting_table(waiting))
    else:
        say("Nothing waits for a person.")
    return 0


def waiting_table(waiting: list[Waiting]) -> str:
    """What waits, as a table with a link below each row's facts."""
    now = datetime.now(UTC)
    return table(
        [
            {
                "case": one.case,
                "task": one.task,
                "why": one.reason.replace("_", " "),
                "confidence": one.confidence,
                "age": age((now - one.opened_at).total_seconds()),
                "run": one.run_name,
                "answer at": one.url,
            }
            for one in waiting
        ]
    )


def age(seconds: float) -> str:
    """A duration in its largest unit.

    >>> age(7300)
    '2 h'
    """
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"
