"""The form that a person fills in: made from the answer type, the draft and the policy.

The decision is required and has no default: an empty submit decides nothing. The draft is named by its sha256, so that
an answer to one draft never applies to another.
"""

from typing import Any

from pydantic import JsonValue

from hitl_prefect.briefs import Brief
from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.form_description import describe
from hitl_prefect.form_fields import Schema, answer_schema
from hitl_prefect.form_values import escape_kinds, prefill
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Sha256
from hitl_prefect.outcomes import Decision

__all__ = ["Form", "build_form", "check_form", "escape_kinds"]

_SHA256_KEY = "x-hitl-draft-sha256"
_PEOPLE_KEY, _NOT_THESE_KEY, _NAMED_KEY = "x-hitl-people", "x-hitl-not-these", "x-hitl-named"
_ROUND_KEY, _SIGNED_KEY = "x-hitl-round", "x-hitl-signed"
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
    def is_signed(self) -> bool:
        """Whether an answer counts only with its reviewer's signature."""
        return self.form_schema.get(_SIGNED_KEY) is True

    @property
    def strict_answer(self) -> Schema:
        """The schema that an answer must fit when it is edited."""
        schema: Schema = self.form_schema["then"]["properties"]["answer"]
        return schema

    @property
    def named(self) -> bool:
        """Whether an answer needs a name."""
        return bool(self.form_schema.get(_NAMED_KEY))


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


def _schema(brief: Brief) -> Schema:
    strict = {**answer_schema(brief.case.answer), "title": "Answer", "position": 1}
    sha256 = brief.generation.sha256
    return {
        "title": "Review",
        "type": "object",
        "properties": _fields(brief, strict),
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
        **_conditions(strict),
        _SHA256_KEY: sha256,
        _PEOPLE_KEY: list(brief.ask.people),
        _NOT_THESE_KEY: list(brief.ask.not_these),
        _NAMED_KEY: brief.ask.named,
        _ROUND_KEY: brief.round_id,
        _SIGNED_KEY: brief.policy.require_signature,
    }


def _fields(brief: Brief, strict: Schema) -> Schema:
    said = brief.shown_again if isinstance(brief.shown_again, dict) else {}
    answer = said.get("answer", brief.filled_with) if brief.fill_again else brief.filled_with
    return {
        "decision": _decision_field(brief),
        "answer": _loose(strict) if answer is None else {**strict, "default": prefill(strict, answer)},
        "guidance": _text_field("Guidance", "Only for retry: what the next attempt should do better.", 2, said),
        "reason": _text_field("Reason", "Why you decide so. Kept with the outcome.", 3, said),
        # Where verdicts are signed, an unlisted name gets through this door too, so that the attempt is recorded.
        "reviewer": _reviewer_field(() if brief.policy.require_signature else brief.ask.people, said),
    }


def _conditions(strict: Schema) -> Schema:
    """What each decision needs beside itself."""
    return {
        "if": {"properties": {"decision": {"const": "edit"}}},
        "then": {"required": ["answer"], "properties": {"answer": strict}},
        # Whoever approves names what was seen: the browser sends the answer as shown, others the draft's sha256.
        "else": {
            "if": {"properties": {"decision": {"const": "approve"}}, "not": {"required": ["answer"]}},
            "then": {"required": ["draft_sha256"]},
        },
    }


def _decision_field(brief: Brief) -> dict[str, Any]:
    blind, policy = brief.ask.role == "blind", brief.policy
    offered = {
        "approve": brief.generation.answer is not None and _is_filled_with_draft(brief),
        "edit": True,
        "reject": True,
        # Another attempt is another draft, and says something of its own case only.
        "retry": brief.generation.attempt < policy.max_attempts and not blind and not brief.group,
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
