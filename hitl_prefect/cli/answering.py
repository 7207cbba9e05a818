"""`hitl show` and `hitl answer`."""

import getpass
import json as json_format
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import JsonValue

from hitl_prefect.cli.printing import AsJson, print_json, say
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.inbox import aanswer, afind, ashow
from hitl_prefect.outcomes import Decision

__all__ = ["answer", "show"]


async def show(run: str, *, json: AsJson = False) -> int:
    """Show what a person is asked.

    Args:
        run: The flow run, by its id, its name, or its case.
        json: Print JSON.
    """
    form = await ashow(await afind(run))
    if json:
        print_json(form)
        return 0
    decisions = ", ".join(form.decisions)
    say(f"{form.description}\n\nOpen {form.waiting.url}")
    say(f"or `hitl answer {form.waiting.run_id} --draft {form.draft_sha256[:12]} --decision …`, one of: {decisions}")
    return 0


async def answer(
    run: str,
    *,
    decision: Decision,
    answer: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    guidance: str = "",
    reason: str = "",
    reviewer: str | None = None,
    draft: str = "",
    json: AsJson = False,
) -> int:
    """Answer one waiting flow run.

    Args:
        run: The flow run, by its id, its name, or its case.
        decision: approve, edit, reject, retry or escalate.
        answer: For `edit`: the answer as JSON. What is no JSON is taken as text.
        guidance: For `retry`: what the next attempt should do better.
        reason: Why, for the record.
        reviewer: Who answers. Default: your user name.
        draft: How the sha256 of the draft begins that you saw, as `hitl show` prints it; another draft is not answered.
        json: Print JSON.
    """
    typed: dict[str, JsonValue] = {
        "decision": decision,
        "reviewer": reviewer if reviewer is not None else _user(),
        "channel": "cli",
        **{name: text for name, text in (("guidance", guidance), ("reason", reason)) if text},
    }
    if answer is not None:
        typed["answer"] = _as_json(answer)
    form = await ashow(await afind(run))
    if not form.draft_sha256.startswith(draft):
        raise AnswerRefused((f"draft {draft} is no longer the one that waits: look again with `hitl show {run}`",))
    await aanswer(form.waiting.run_id, {**typed, "draft_sha256": form.draft_sha256})
    if json:
        print_json({"run_id": form.waiting.run_id, "case": form.waiting.case, "decision": decision})
    else:
        say(f"{form.waiting.task}, case {form.waiting.case}: {decision}; the flow goes on.")
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


def _as_json(text: str) -> Any:
    try:
        return json_format.loads(text)
    except ValueError:
        return text
