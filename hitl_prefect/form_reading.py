"""What came back from a form, read with the answer type itself: its validators, dates and formats."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

from pydantic import JsonValue

from hitl_prefect.answers import AnswerType, Reading, answer_type, problems_of
from hitl_prefect.bounds import out_of_bounds
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.fields import differences
from hitl_prefect.form_fields import answer_schema
from hitl_prefect.form_values import with_empty_lists
from hitl_prefect.forms import Form
from hitl_prefect.models import Case
from hitl_prefect.outcomes import Channel, FormAnswer
from hitl_prefect.people import among

__all__ = ["FormAnswer", "read_form", "wrong_entries"]

_TEXTS = ("guidance", "reason", "reviewer")
_KEYS = {"decision", "answer", "channel", "draft_sha256", "round", "seen_at", "bulk", "signature", *_TEXTS}
_CHANGES_SHOWN = 3
_SHORT = 60


def read_form(form: Form, case: Case, data: dict[str, Any]) -> FormAnswer:
    """Read what the server accepted, with the answer type itself: its validators, dates and formats.

    Raises:
        AnswerRefused: If it does not apply; `errors` holds one sentence per problem, for the person who is asked again.
    """
    if too_much := out_of_bounds(data):
        raise AnswerRefused(too_much)
    said = {key: value for key, value in data.items() if value is not None}
    if "answer" in said:
        said["answer"] = with_empty_lists(answer_schema(case.answer), said["answer"])
    reading = _read_answer(form, answer_type(case.answer), said)
    errors = (*wrong_entries(form, said), *reading.problems)
    if errors:
        raise AnswerRefused(errors)
    texts = {key: said.get(key, "").strip() for key in _TEXTS}
    return FormAnswer(
        decision=said["decision"],
        answer=reading.answer,
        channel=said.get("channel", "ui"),
        seen_at=_moment(said.get("seen_at")),
        bulk=said.get("bulk") is True,
        signature=said.get("signature"),
        **texts,
    )


def _moment(said: Any) -> datetime | None:
    """When the person's own door says that the form was shown; what is no moment is no word."""
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def wrong_entries(form: Form, said: dict[str, Any]) -> list[str]:
    """What is wrong beside the answer: one sentence per entry, the entry first."""
    errors = [f"{key}: expected text" for key in (*_TEXTS, "signature") if not isinstance(said.get(key, ""), str)]
    errors += [f"{key}: the form has no such field" for key in sorted(said.keys() - _KEYS)]
    if said.get("decision") not in form.decisions:
        errors.append(f"decision: choose one of {', '.join(form.decisions)}")
    if said.get("decision") == "retry" and not str(said.get("guidance", "")).strip():
        errors.append("guidance: retry needs a word on what the next attempt should do better")
    errors += _wrong_reviewer(form, str(said.get("reviewer", "")).strip())
    if said.get("channel", "ui") not in get_args(Channel):
        errors.append(f"channel: expected one of {', '.join(get_args(Channel))}")
    if said.get("draft_sha256", form.draft_sha256) != form.draft_sha256:
        errors.append("draft_sha256: this decision is about another draft; look at the one shown here")
    if said.get("round", form.round_id) != form.round_id:
        errors.append("round: somebody has answered since; look at what is asked now")
    return errors


def _wrong_reviewer(form: Form, name: str) -> list[str]:
    if form.reviewers and name not in form.reviewers:
        return [f"reviewer: this form is for {', '.join(form.reviewers)}"]
    if form.named and not name:
        return ["reviewer: your name is needed here"]
    if among(name, form.not_these):
        return [f"reviewer: {name} has answered this case already, or asked for it; somebody else must answer"]
    return []


def _read_answer(form: Form, reader: AnswerType, said: dict[str, Any]) -> Reading:
    match said.get("decision"):
        case "approve":
            return _approved(form, reader, said)
        case "edit" if "answer" not in said:
            return Reading(problems=("answer: edit needs an answer",))
        case "edit":
            return _validated(reader, said["answer"])
    return Reading()


def _approved(form: Form, reader: AnswerType, said: dict[str, Any]) -> Reading:
    if "answer" not in said and "draft_sha256" not in said:
        return Reading(problems=("approve names what it approves: the answer as shown, or draft_sha256",))
    if canonical_bytes(said.get("answer", form.draft)) == canonical_bytes(form.draft):
        return Reading(answer=form.draft)
    typed = _validated(reader, said["answer"])
    changes = typed.problems or tuple(_changes(form, typed.answer))
    if not changes:
        return Reading(answer=form.draft)
    shown = "; ".join(changes[:_CHANGES_SHOWN]) + (" ..." if len(changes) > _CHANGES_SHOWN else "")
    return Reading(problems=(f"you chose approve but changed {shown}; choose edit to change the draft",))


def _validated(reader: AnswerType, data: Any) -> Reading:
    try:
        answer = reader.as_json(reader.from_json(data))
    except ValueError as exc:
        return Reading(problems=problems_of(exc))
    return Reading(answer=answer) if answer is not None else Reading(problems=("answer: expected an answer, got none",))


def _changes(form: Form, answer: JsonValue) -> Iterator[str]:
    """What differs from the draft, as `total: 12 -> 13`; only the field where others must not see what was typed."""
    for one in differences(form.draft, answer):
        yield (one.path or "answer") if form.is_independent else one.told(_SHORT)
