"""`hitl inbox`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from cyclopts import Parameter, validators

from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside, table, write
from hitl_prefect.errors import ServerUnreachable
from hitl_prefect.inert import visible
from hitl_prefect.quick_inbox import aquick_inbox
from hitl_prefect.reasons import reason_in_words
from hitl_prefect.waiting import Waiting

__all__ = ["age", "inbox", "until", "waiting_table"]

_ANEW = "\x1b[H\x1b[2J\x1b[3J"
"""Empties a terminal and goes to its top left corner."""


async def inbox(
    *,
    task: str | None = None,
    reviewer: str | None = None,
    limit: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    watch: Annotated[bool, Parameter(negative=())] = False,
    every: float = 5.0,
    json: AsJson = False,
) -> int:
    """List what waits for a person, the most urgent first: unknown or high expected loss, then the deadline, then age.

    Args:
        task: Only cases of this task.
        reviewer: Only what this person may answer.
        limit: At most so many.
        watch: Look again and again until Ctrl-C; into a pipe only what changes is printed.
        every: With --watch: seconds between two looks.
        json: Print JSON.
    """

    async def look() -> list[Waiting]:
        return _chosen(await aquick_inbox(), task=task, reviewer=reviewer)[:limit]

    if not watch:
        _print(await look(), json=json)
        return 0
    try:
        await _watch(look, every if every > 0.1 else 0.1, json=json)
    except asyncio.CancelledError:  # Ctrl-C is how a watch ends
        return 0
    return 0


def _chosen(waiting: Sequence[Waiting], *, task: str | None, reviewer: str | None) -> list[Waiting]:
    of_task = [one for one in waiting if task is None or one.task == task]
    return [one for one in of_task if reviewer is None or one.may_answer(reviewer)]


def _print(waiting: list[Waiting], *, json: bool) -> None:
    if json:
        print_json({"waiting": waiting})
    else:
        say(waiting_table(waiting) if waiting else "Nothing waits for a person.")


async def _watch(look: Callable[[], Awaitable[list[Waiting]]], every_s: float, *, json: bool) -> None:
    in_place = sys.stdout.isatty() and not json
    before: dict[_Round, Waiting] = {}
    first = True
    while True:
        try:
            now = {(one.run_id, one.opened_at): one for one in await look()}
        except ServerUnreachable as exc:
            # At first it is a typing error, later a server that is restarted: who watches goes on watching.
            if first:
                raise
            say_aside(f"{exc}; looking again every {every_s:g} s")
            await asyncio.sleep(every_s)
            continue
        if in_place:
            write(_ANEW)
            _print(list(now.values()), json=False)
        elif json and (first or now.keys() != before.keys()):
            _print(list(now.values()), json=True)
        elif not json:
            _tell_changes(before, now)
        before, first = now, False
        await asyncio.sleep(every_s)


_Round = tuple[UUID, datetime]
"""One time that somebody is asked: a run asks again under the same id."""


def _tell_changes(before: dict[_Round, Waiting], now: dict[_Round, Waiting]) -> None:
    for sign, there, gone in (("-", before, now), ("+", now, before)):
        for key in there.keys() - gone.keys():
            one = there[key]
            say(f"{sign} {one.task}, case {visible(one.case)}  {one.url}")


def waiting_table(waiting: list[Waiting]) -> str:
    """What waits, as a table, with the link that opens the form."""
    now = datetime.now(UTC)
    return table([_row(one, now) for one in waiting])


def _row(one: Waiting, now: datetime) -> dict[str, object]:
    return {
        "case": visible(one.case),
        "task": visible(one.task),
        "why a person is asked": reason_in_words(one.reason),
        "confidence": one.confidence,
        "expected loss": one.expected_loss,
        "waits for": age((now - one.opened_at).total_seconds()),
        "deadline": until(one.deadline_at, now),
        "who": visible(", ".join(one.people)) or "anybody",
        "answer at": one.url,
    }


def until(deadline: datetime | None, now: datetime) -> str:
    """How long there is still to answer.

    >>> until(None, datetime.now(UTC))
    '-'
    """
    if deadline is None:
        return "-"
    left = (deadline - now).total_seconds()
    return f"in {age(left)}" if left > 0 else "overdue"


def age(seconds: float) -> str:
    """A duration in its largest unit.

    >>> age(7300)
    '2 h'
    """
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"
