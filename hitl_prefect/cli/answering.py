"""`hitl show` and `hitl answer`."""

import asyncio
import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue

from hitl_prefect.answer_files import answer_in_file, answer_in_words
from hitl_prefect.answering import WaitingForm, aanswer, afind, ashow
from hitl_prefect.cli.bulk import planned, send_all, tell_plan, tell_sent
from hitl_prefect.cli.editing import answer_file, read_answer_file
from hitl_prefect.cli.interview import NothingSent, interview
from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside, say_markdown
from hitl_prefect.connecting import open_client
from hitl_prefect.errors import AnswerRefused, ConfigError
from hitl_prefect.form_checks import check_typed
from hitl_prefect.forms import Form
from hitl_prefect.inert import visible
from hitl_prefect.outcomes import Decision
from hitl_prefect.selecting import Selection

__all__ = ["answer", "show"]


async def show(run: str, *, json: AsJson = False) -> int:
    """Show what a person is asked.

    Args:
        run: The flow run, by its id, its name, or its case.
        json: Print JSON.
    """
    form = await _waiting_form(run)
    if json:
        print_json(form)
        return 0
    decisions = ", ".join(form.decisions)
    say_markdown(form.description)
    say(f"\nOpen {form.waiting.url}")
    say(f"or `hitl answer {form.waiting.run_id} --draft {form.draft_sha256[:12]} --decision …`, one of: {decisions}")
    return 0


# Not async: in an event loop, Ctrl-C would not end the waiting for a line.
def answer(
    run: str | None = None,
    *,
    decision: Decision | None = None,
    answer: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    answer_file: Path | None = None,
    guidance: str = "",
    reason: str = "",
    reviewer: str | None = None,
    draft: str = "",
    sign: Annotated[bool, Parameter(negative=())] = False,
    task: str | None = None,
    where: str | None = None,
    yes: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
) -> int:
    """Answer one waiting flow run, or with `--task` or `--where` many. Without `--decision` you are asked.

    Args:
        run: The flow run, by its id, its name, or its case.
        decision: approve, edit, reject, retry or escalate.
        answer: For `edit`: the answer as JSON; where the answer is one text, plain words do.
        answer_file: For `edit`: a file that holds the answer, text to the letter and all else as JSON.
        guidance: For `retry`: what the next attempt should do better.
        reason: Why, for the record.
        reviewer: Who answers. Default: your user name.
        draft: How the sha256 of the draft begins that you saw, as `hitl show` prints it; another draft is not answered.
        sign: Sign the verdict with the reviewer's key also where the form does not want it; where it does, it is signed
            anyway.
        task: Many: every waiting case of this task.
        where: Many: every waiting case that this selects, such as 'confidence > 0.8 and reason == "below_bar"'. Known
            are task, case, reason, confidence, attempt, age_s and expected_loss.
        yes: Many: send without asking.
        dry_run: Many: only list what would be sent.
        json: Print JSON.
    """
    name = reviewer if reviewer is not None else _user()
    said: dict[str, JsonValue] = {
        "reviewer": name,
        "channel": "cli",
        **{entry: text for entry, text in (("guidance", guidance), ("reason", reason)) if text},
    }
    many = task is not None or where is not None
    answers = (answer is not None) + (answer_file is not None)
    if wrong := _wrong_usage(run, decision, many=many, answers=answers, draft=draft, of_many=yes or dry_run, json=json):
        say_aside(f"hitl: {wrong}\nTry `hitl answer --help`.")
        return 2
    if run is None:
        typed = {**said, "decision": decision}
        return _answer_many(task, where, typed, sign=sign, yes=yes, only_look=dry_run, json=json)
    form = asyncio.run(_waiting_form(run))
    if not form.draft_sha256.startswith(draft):
        raise AnswerRefused((f"draft {draft} is no longer the one that waits: look again with `hitl show {run}`",))
    if decision is None:
        return _answer_by_hand(form, said, sign=sign)
    said |= {"decision": decision, **_written(form.form, answer, answer_file)}
    _send(form, said, sign=sign)
    _tell(form, decision, json=json)
    return 0


def _wrong_usage(
    run: str | None, decision: str | None, *, many: bool, answers: int, draft: str, of_many: bool, json: bool
) -> str:
    """Why these words cannot be meant together; empty where they can."""
    asked = decision is None and not many
    reasons = (
        (many is (run is not None), "name one waiting run, or select many with --task or --where"),
        (
            many and (decision in ("edit", None) or answers > 0),
            "many cases get one --decision, and it cannot be edit: answer what you want to change one by one",
        ),
        (many and draft != "", "--draft names the draft of one run: leave it out, each case is sent with its own"),
        (not many and of_many, "--yes and --dry-run are for many cases: select them with --task or --where"),
        (answers > 1, "--answer and --answer-file are two answers: give one of them"),
        (asked and answers > 0, "--answer and --answer-file go with --decision edit: add it"),
        (asked and json, "--json asks nobody: give --decision, or look at the form with `hitl show RUN --json`"),
        (asked and not sys.stdin.isatty(), "without a terminal nobody can be asked: give --decision"),
    )
    return next((why for is_wrong, why in reasons if is_wrong), "")


def _written(form: Form, words: str | None, file: Path | None) -> dict[str, JsonValue]:
    if file is not None:
        return {"answer": answer_in_file(form, read_answer_file(file))}
    return {} if words is None else {"answer": answer_in_words(form, words)}


def _send(form: WaitingForm, said: dict[str, JsonValue], *, sign: bool) -> None:
    """Check it against the form that was shown, and send it for that draft and that time of asking only."""
    typed = {**said, "draft_sha256": form.draft_sha256, "round": form.form.round_id}
    check_typed(form.form, typed)
    asyncio.run(aanswer(form.waiting.run_id, typed, seen=form, sign=sign))


def _tell(form: WaitingForm, decision: str, *, json: bool) -> None:
    if json:
        print_json({"run_id": form.waiting.run_id, "case": form.waiting.case, "decision": decision})
    else:
        say(visible(f"{form.waiting.task}, case {form.waiting.case}: {decision}; the flow goes on."))


def _answer_by_hand(form: WaitingForm, said: dict[str, JsonValue], *, sign: bool) -> int:
    """Show the form, ask, and send; nothing is sent before the person's last yes."""
    seen_at = datetime.now(UTC).isoformat()
    say_markdown(form.description)
    try:
        with answer_file(form.form, form.waiting.run_name) as paper:
            typed = interview(form.form, paper, str(said["reviewer"]))
            _send(form, {**said, **typed, "seen_at": seen_at}, sign=sign)
    except (NothingSent, EOFError, KeyboardInterrupt):
        say_aside("Nothing was sent; the run goes on waiting.")
        return 1
    _tell(form, str(typed["decision"]), json=False)
    return 0


def _answer_many(
    task: str | None,
    where: str | None,
    said: dict[str, JsonValue],
    *,
    sign: bool,
    yes: bool,
    only_look: bool,
    json: bool,
) -> int:
    try:
        selection = None if where is None else Selection(where)
    except ConfigError as exc:
        say_aside(f"hitl: {exc}")
        return 2
    plan = asyncio.run(planned(task, selection, said))
    tell_plan(plan, str(said["decision"]), say_aside if json else say)
    ready = sum(not one.skipped for one in plan)
    if only_look or not ready:
        return 0
    if not yes and not sys.stdin.isatty():
        say_aside("hitl: nothing was sent: without a terminal nobody can say yes; add --yes, or --dry-run to look")
        return 2
    if not yes and input(f"Send {said['decision']} {ready} times? [y/N] ").strip().lower() not in ("y", "yes"):
        say_aside("Nothing was sent.")
        return 1
    failed = asyncio.run(send_all(plan, sign=sign))
    tell_sent(plan, failed, json=json)
    return int(bool(failed))


async def _waiting_form(run: str) -> WaitingForm:
    async with open_client():  # one for both
        return await ashow(await afind(run))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
