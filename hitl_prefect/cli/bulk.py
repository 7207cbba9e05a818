"""`hitl answer --task … --where … --decision …`: one decision for many cases, each with its own draft named."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import JsonValue

from hitl_prefect.answering import aanswer, ashow
from hitl_prefect.cli.printing import print_json, say, say_aside, table
from hitl_prefect.connecting import open_client
from hitl_prefect.errors import AnswerRefused, HitlError
from hitl_prefect.form_checks import check_typed
from hitl_prefect.inbox import ainbox
from hitl_prefect.inert import visible
from hitl_prefect.selecting import Column, Selection
from hitl_prefect.waiting import Waiting

__all__ = ["Sending", "columns_of", "planned", "send_all", "tell_plan", "tell_sent"]

_MANY = 20
"""From so many on, progress is told."""
_EACH = 10
_AT_ONCE = 8
"""So many forms are read at a time."""


class Sending(NamedTuple):
    """What is going to be sent to one waiting run, or why nothing is."""

    waiting: Waiting
    typed: dict[str, JsonValue]
    skipped: str = ""


def columns_of(waiting: Waiting, now: datetime) -> dict[str, Column]:
    """A waiting run as `--where` sees it."""
    return {
        "task": waiting.task,
        "case": waiting.case,
        "reason": waiting.reason,
        "confidence": waiting.confidence,
        "attempt": waiting.attempt,
        "age_s": (now - waiting.opened_at).total_seconds(),
        "expected_loss": waiting.expected_loss,
    }


async def planned(task: str | None, where: Selection | None, typed: dict[str, JsonValue]) -> list[Sending]:
    """What one decision means for everything that is selected.

    Args:
        task: Only cases of this task.
        where: Only cases that it selects.
        typed: The decision and what goes with it.
    """
    now = datetime.now(UTC)
    few = asyncio.Semaphore(_AT_ONCE)

    async def plan(one: Waiting) -> Sending:
        async with few:
            return await _planned(one, typed)

    async with open_client():  # one for all of them
        found = [one for one in await ainbox() if task in (None, one.task)]
        chosen = [one for one in found if where is None or where.matches(columns_of(one, now))]
        return await asyncio.gather(*(plan(one) for one in chosen))


async def _planned(waiting: Waiting, typed: dict[str, JsonValue]) -> Sending:
    try:
        form = (await ashow(waiting.run_id)).form
        named: dict[str, JsonValue] = {"draft_sha256": form.draft_sha256, "round": form.round_id, "bulk": True}
        check_typed(form, {**typed, **named})
    except AnswerRefused as exc:
        no_draft = typed["decision"] == "approve" and "approve" not in form.decisions
        return Sending(waiting, {}, "there is no valid draft to approve" if no_draft else str(exc))
    except HitlError as exc:
        return Sending(waiting, {}, str(exc))
    return Sending(waiting, {**typed, **named})


def tell_plan(plan: Sequence[Sending], decision: str, tell: Callable[[str], None]) -> None:
    """Show what is going to happen."""
    if plan:
        tell(table([_row(one, decision) for one in plan]))
    tell(f"{decision}: {sum(not one.skipped for one in plan)} of {len(plan)} selected cases.")


def _row(one: Sending, decision: str) -> dict[str, object]:
    waiting = one.waiting
    return {
        "case": visible(waiting.case),
        "task": waiting.task,
        "why": waiting.reason.replace("_", " "),
        "confidence": waiting.confidence,
        "run": visible(waiting.run_name),
        "then": visible(f"skipped: {one.skipped}" if one.skipped else decision),
    }


async def send_all(plan: Sequence[Sending], *, sign: bool) -> list[tuple[Sending, str]]:
    """Send all that is not skipped, going on after a failure.

    Args:
        plan: What is going to be sent.
        sign: Sign each also where its form does not want it.

    Returns:
        What failed, with why: somebody was faster, or the form refused.
    """
    ready = [one for one in plan if not one.skipped]
    failed: list[tuple[Sending, str]] = []
    async with open_client():  # one for all of them
        for count, one in enumerate(ready, 1):
            if why := await _not_answered(one, sign=sign):
                failed.append((one, why))
                say_aside(visible(f"{one.waiting.task}, case {one.waiting.case}: not answered: {why}"))
            if len(ready) >= _MANY and sys.stderr.isatty() and (count % _EACH == 0 or count == len(ready)):
                say_aside(f"{count} of {len(ready)}")
    return failed


async def _not_answered(one: Sending, *, sign: bool) -> str:
    """Send one; why it was not answered, empty where it was."""
    try:
        await aanswer(one.waiting.run_id, one.typed, sign=sign)
    except HitlError as exc:
        return str(exc) or type(exc).__name__
    return ""


def tell_sent(plan: Sequence[Sending], failed: Sequence[tuple[Sending, str]], *, json: bool) -> None:
    """Tell how it went."""
    not_sent = {one.waiting.run_id for one, _ in failed}
    answered = [one.waiting.run_id for one in plan if not one.skipped and one.waiting.run_id not in not_sent]
    skipped = [{"run_id": one.waiting.run_id, "why": one.skipped} for one in plan if one.skipped]
    if json:
        why = [{"run_id": one.waiting.run_id, "why": reason} for one, reason in failed]
        print_json({"answered": answered, "skipped": skipped, "failed": why})
    else:
        say(f"{len(answered)} answered, {len(skipped)} skipped, {len(failed)} failed.")
