"""`hitl answer RUN` at a terminal: what is asked of the person, in the order of the form."""

from collections.abc import Sequence

from pydantic import JsonValue

from hitl_prefect.answer_files import shown_answer
from hitl_prefect.cli.editing import AnswerFile
from hitl_prefect.cli.printing import say
from hitl_prefect.fields import differences
from hitl_prefect.form_reading import wrong_entries
from hitl_prefect.forms import Form
from hitl_prefect.inert import visible
from hitl_prefect.outcomes import Decision

__all__ = ["NothingSent", "interview"]

_SHORT = 200


class NothingSent(Exception):
    """The person changed their mind."""


def interview(form: Form, paper: AnswerFile, reviewer: str) -> dict[str, JsonValue]:
    """Ask for a decision and what it needs, and for a last yes.

    Args:
        form: What waits, shown already.
        paper: Where `edit` is written.
        reviewer: The name that is offered.

    Returns:
        What to send.

    Raises:
        NothingSent: If the last word was no.
        EOFError, KeyboardInterrupt: If they left.
    """
    typed = _decided(form, paper)
    if typed["decision"] == "retry":
        typed["guidance"] = _until_right(form, "guidance", "What should the next attempt do better? ", typed)
    offered = "" if _errors(form, typed, "reviewer", reviewer) else reviewer
    typed["reviewer"] = _until_right(form, "reviewer", _name_question(form, offered), typed, default=offered)
    if reason := input("Why do you decide so? (Enter: no reason) ").strip():
        typed["reason"] = reason
    if not _yes(f"Send {typed['decision']} as {typed['reviewer'] or 'nobody'}?"):
        raise NothingSent
    return typed


def _decided(form: Form, paper: AnswerFile) -> dict[str, JsonValue]:
    """The decision, with the answer where it is `edit`; whoever edited nothing is asked once more."""
    while True:
        decision = _choice("Decision", form.decisions)
        if decision != "edit":
            return {"decision": decision}
        answer = paper.edit()
        if answer is None:
            raise NothingSent
        if changes := _changes(form, answer):
            say("\n".join(["You change:", *changes]))
            return {"decision": "edit", "answer": answer}
        say("You changed nothing.")


def _choice(what: str, choices: Sequence[Decision]) -> Decision:
    """One of them, by its name or the beginning of it."""
    while True:
        said = input(f"{what} ({', '.join(choices)}): ").strip().lower()
        meant = [one for one in choices if said and one.startswith(said)]
        if len(meant) == 1:
            return meant[0]
        say(f"Choose one of {', '.join(choices)}; the first letters are enough.")


def _changes(form: Form, answer: JsonValue) -> list[str]:
    return [visible(f"  {one.told(_SHORT)}") for one in differences(shown_answer(form), answer)]


def _name_question(form: Form, default: str) -> str:
    of = f", one of {', '.join(form.reviewers)}" if form.reviewers else ""
    return f"Your name{of} [{default}]: " if default else f"Your name{of}: "


def _until_right(form: Form, entry: str, question: str, typed: dict[str, JsonValue], *, default: str = "") -> str:
    """Ask for one entry until the form takes it."""
    while True:
        said = input(question).strip() or default
        errors = _errors(form, typed, entry, said)
        if not errors:
            return said
        say(visible("\n".join(errors)))


def _errors(form: Form, typed: dict[str, JsonValue], entry: str, said: str) -> list[str]:
    """What the form would say about one entry."""
    return [one for one in wrong_entries(form, {**typed, entry: said}) if one.startswith(f"{entry}:")]


def _yes(question: str) -> bool:
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
