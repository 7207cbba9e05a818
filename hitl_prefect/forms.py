"""The form that a person fills in: made from the answer type, the draft and the policy; read back with the type itself.

The decision is required and has no default: an empty submit decides nothing. The draft is named by its sha256, so that
an answer to one draft never applies to another.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

from pydantic import AwareDatetime, JsonValue

from hitl_prefect.answers import AnswerType, Reading, answer_type, problems_of
from hitl_prefect.bounds import out_of_bounds
from hitl_prefect.briefs import Brief
from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.fields import differences
from hitl_prefect.form_description import describe
from hitl_prefect.form_fields import answer_schema
from hitl_prefect.form_values import escape_kinds, prefill, unescape_kinds, with_empty_lists
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Sha256
from hitl_prefect.outcomes import Channel, Decision
from hitl_prefect.people import same_person

__all__ = [
    "Form",
    "FormAnswer",
    "build_form",
    "check_form",
    "escape_kinds",
    "read_form",
    "unescape_kinds",
    "wrong_entries",
]

_SHA256_KEY = "x-hitl-draft-sha256"
_PEOPLE_KEY, _NOT_THESE_KEY, _NAMED_KEY = "x-hitl-people", "x-hitl-not-these", "x-hitl-named"
_ROUND_KEY, _SIGNED_KEY = "x-hitl-round", "x-hitl-signed"
_TEXTS = ("guidance", "reason", "reviewer")
_KEYS = {"decision", "answer", "channel", "draft_sha256", "round", "seen_at", "bulk", "signature", *_TEXTS}
_CHANGES_SHOWN = 3
_SHORT = 60
_DECISION_HELP = {
    "approve": "approve: the draft ships as it stands.",
    "edit": "edit: your version below ships.",
    "reject": "reject: nothing ships.",
    "retry": "retry: the model tries again with your guidance.",
    "escalate": "escalate: somebody else decides.",
}
_BLIND_HELP = {
    "edit": "edit: your own answer, in the fields below.",
    "reject": "reject: no answer is right.",
}
# The V1 UI gives the description no height at all once the fields fill the window.
_HIDDEN_HELP = "If no prompt stands above, the window is too low for the V1 UI: switch to V2, or run `hitl show`."


class Form(Frozen):
    """One question to a person."""

    form_schema: dict[str, Any]
    """JSON schema, Draft 2020-12, as Prefect stores and validates it."""
    description: str
    """Markdown, shown above the fields."""
    draft_sha256: Sha256
    """The draft that the person sees."""
    draft: JsonValue = None
    """What `approve` approves; `None` where there is no valid draft."""
    is_independent: bool = False
    """Whether others answer too, who must see nothing of what is typed here."""

    @property
    def sha256(self) -> str:
        """Names what the person saw: schema and description."""
        return sha256_of([self.form_schema, self.description])

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions that the form offers."""
        return tuple(self.form_schema["properties"]["decision"]["enum"])

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Who may answer; empty: anybody."""
        return tuple(self.form_schema.get(_PEOPLE_KEY, ()))

    @property
    def not_these(self) -> tuple[str, ...]:
        """Who may not: they have answered already, or they asked for the case."""
        return tuple(self.form_schema.get(_NOT_THESE_KEY, ()))

    @property
    def round_id(self) -> str:
        """Names this one time of asking."""
        return str(self.form_schema.get(_ROUND_KEY, ""))

    @property
    def named(self) -> bool:
        """Whether an answer needs a name."""
        return bool(self.form_schema.get(_NAMED_KEY))


class FormAnswer(Frozen):
    """What a person said, checked against the answer type."""

    decision: Decision
    answer: JsonValue = None
    """What ships, as JSON data of the answer type: the draft on `approve`, the person's on `edit`, else `None`."""
    guidance: str = ""
    reason: str = ""
    reviewer: str = ""
    channel: Channel = "ui"
    seen_at: AwareDatetime | None = None
    bulk: bool = False
    signature: str | None = None


def check_form(answer: Any) -> None:
    """Check that a person could submit every field of an answer type, in both Prefect UIs.

    Raises:
        FormError: With the dotted path of the field and what to use instead.
    """
    answer_schema(answer)


def build_form(brief: Brief) -> Form:
    """The form that a brief makes.

    Raises:
        FormError: If a person could not submit the answer type.
    """
    return Form(
        form_schema=_schema(brief),
        description=describe(brief),
        draft_sha256=brief.generation.sha256,
        draft=brief.generation.answer if brief.shows_draft else None,
        is_independent=brief.is_independent,
    )


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


def _schema(brief: Brief) -> dict[str, Any]:
    said = brief.shown_again if isinstance(brief.shown_again, dict) else {}
    strict = {**answer_schema(brief.case.answer), "title": "Answer", "position": 1}
    answer = said.get("answer", brief.filled_with) if brief.fill_again else brief.filled_with
    sha256 = brief.generation.sha256
    return {
        "title": "Review",
        "type": "object",
        "properties": {
            "decision": _decision_field(brief),
            "answer": _loose(strict) if answer is None else {**strict, "default": prefill(strict, answer)},
            "guidance": _text_field("Guidance", "Only for retry: what the next attempt should do better.", 2, said),
            "reason": _text_field("Reason", "Why you decide so. Kept with the outcome.", 3, said),
            # Where verdicts are signed, an unlisted name gets through this door too, so that the attempt is recorded.
            "reviewer": _reviewer_field(() if brief.policy.require_signature else brief.ask.people, said),
        },
        "required": ["decision", "reviewer"] if brief.ask.named else ["decision"],
        # What our own clients add; the forms in the browser do not show it.
        "patternProperties": {
            "^channel$": {"type": "string"},
            "^draft_sha256$": {"const": sha256},
            "^round$": {"const": brief.round_id},
            "^seen_at$": {"type": "string"},
            "^bulk$": {"type": "boolean"},
            "^signature$": {"type": "string"},
        },
        "additionalProperties": False,
        "if": {"properties": {"decision": {"const": "edit"}}},
        "then": {"required": ["answer"], "properties": {"answer": strict}},
        # Whoever approves names what was seen: the browser sends the answer as shown, others the draft's sha256.
        "else": {
            "if": {"properties": {"decision": {"const": "approve"}}, "not": {"required": ["answer"]}},
            "then": {"required": ["draft_sha256"]},
        },
        _SHA256_KEY: sha256,
        _PEOPLE_KEY: list(brief.ask.people),
        _NOT_THESE_KEY: list(brief.ask.not_these),
        _NAMED_KEY: brief.ask.named,
        _ROUND_KEY: brief.round_id,
        _SIGNED_KEY: brief.policy.require_signature,
    }


def _decision_field(brief: Brief) -> dict[str, Any]:
    blind, policy = brief.ask.role == "blind", brief.policy
    offered = {
        "approve": brief.generation.answer is not None and _is_filled_with_draft(brief),
        "edit": True,
        "reject": True,
        "retry": brief.generation.attempt < policy.max_attempts and not blind,
        "escalate": bool(policy.escalate_to) and brief.ask.role != "escalated" and not blind,
    }
    choices = [name for name, is_offered in offered.items() if is_offered]
    said = _BLIND_HELP if blind else _DECISION_HELP
    help_text = " ".join([*(said[name] for name in choices), _HIDDEN_HELP])
    return {"title": "Decision", "type": "string", "enum": choices, "description": help_text, "position": 0}


def _is_filled_with_draft(brief: Brief) -> bool:
    """Whether the browser would send the draft: filled with a majority's answer, `approve` would always be refused."""
    return canonical_bytes(brief.filled_with) == canonical_bytes(brief.generation.answer)


def _text_field(title: str, help_text: str, position: int, said: dict[str, Any]) -> dict[str, Any]:
    field = {"title": title, "type": "string", "description": help_text, "position": position}
    typed = said.get(title.lower())
    return {**field, "default": typed} if isinstance(typed, str) else field


def _reviewer_field(reviewers: tuple[str, ...], said: dict[str, Any]) -> dict[str, Any]:
    field = _text_field("Reviewer", "Your name, as it is kept with the outcome.", 4, said)
    if not reviewers:
        return field
    if field.get("default") not in reviewers:
        field.pop("default", None)
    return {**field, "enum": list(reviewers)}


def _loose(schema: Any) -> Any:
    """The schema without `required`: with no draft in the form, a person may reject without filling it in."""
    if isinstance(schema, list):
        return [_loose(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {key: _loose(value) for key, value in schema.items()}
    if isinstance(loose.get("required"), list):
        del loose["required"]
    return loose


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
    if any(same_person(name, other) for other in form.not_these):
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
        field = one.path or "answer"
        yield field if form.is_independent else f"{field}: {_short(one.before)} -> {_short(one.after)}"


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."
