"""Whole forms, as Prefect stores them: each word and key of them reaches a person or a program."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hitl_prefect.models import Case
from hitl_prefect.panel import Ask
from hitl_prefect.policy import Policy
from hitl_prefect.signing import public_key_of
from tests.unit.invoices import form_for

CASE = Case(id="c1", task="sorting", prompt="?", answer=int)
KEY = public_key_of(Ed25519PrivateKey.from_private_bytes(bytes(32)))
APPROVE, EDIT = "approve: the draft ships as it stands.", "edit: your version below ships."
REJECT, RETRY = "reject: nothing ships.", "retry: the model tries again with your guidance."
ESCALATE = "escalate: somebody else decides."
LOW = "If no prompt stands above, the window is too low for the V1 UI: switch to V2, or run `hitl show`."


def field(title: str, help_text: str, position: int, **more: Any) -> dict[str, Any]:
    return {"title": title, "type": "string", "description": help_text, "position": position, **more}


def decision(*choices: str, says: tuple[str, ...]) -> dict[str, Any]:
    return field("Decision", " ".join([*says, LOW]), 0, enum=list(choices))


def whole(fields: dict[str, Any], sha256: str, **more: Any) -> dict[str, Any]:
    """The form about a number, with what differs."""
    strict = {"type": "integer", "title": "Answer", "position": 1}
    texts = {
        "guidance": field("Guidance", "Only for retry: what the next attempt should do better.", 2),
        "reason": field("Reason", "Why you decide so. Kept with the outcome.", 3),
        "reviewer": field("Reviewer", "Your name, as it is kept with the outcome.", 4),
    }
    return {
        "title": "Review",
        "type": "object",
        "properties": {"answer": strict, **texts} | fields,
        "required": ["decision"],
        "patternProperties": {
            "^channel$": {"type": "string"},
            "^draft_sha256$": {"const": sha256},
            "^round$": {"const": more.get("x-hitl-round", "")},
            "^seen_at$": {"type": "string"},
            "^bulk$": {"type": "boolean"},
            "^signature$": {"type": "string"},
        },
        "additionalProperties": False,
        "if": {"properties": {"decision": {"const": "edit"}}},
        "then": {"required": ["answer"], "properties": {"answer": strict}},
        "else": {
            "if": {"properties": {"decision": {"const": "approve"}}, "not": {"required": ["answer"]}},
            "then": {"required": ["draft_sha256"]},
        },
        "x-hitl-draft-sha256": sha256,
        "x-hitl-people": [],
        "x-hitl-not-these": [],
        "x-hitl-named": False,
        "x-hitl-round": "",
        "x-hitl-signed": False,
    } | more


def test_anybody_may_answer_what_the_draft_fills_in() -> None:
    form = form_for(7, case=CASE)
    choices = decision("approve", "edit", "reject", "retry", says=(APPROVE, EDIT, REJECT, RETRY))
    answer = {"type": "integer", "title": "Answer", "position": 1, "default": 7}

    assert form.form_schema == whole({"decision": choices, "answer": answer}, form.draft_sha256)
    assert (form.draft, form.is_independent, form.named, form.is_signed) == (7, False, False, False)


def test_named_people_are_asked_again_with_what_was_typed() -> None:
    """A name that is not listed is not filled in; where nothing is signed only the listed ones can be chosen."""
    typed = {"decision": "edit", "answer": 8, "guidance": "more", "reason": "because", "reviewer": "eve"}
    ask = Ask(people=("ada", "bob"), not_these=("cy",), named=True)
    policy = Policy(reviewers=("ada", "bob"), escalate_to=("eve",), max_attempts=1)
    form = form_for(7, case=CASE, policy=policy, ask=ask, typed=typed, errors=("no",), round_id="r/1/2")
    fields = {
        "decision": decision("approve", "edit", "reject", "escalate", says=(APPROVE, EDIT, REJECT, ESCALATE)),
        "answer": {"type": "integer", "title": "Answer", "position": 1, "default": 8},
        "guidance": field("Guidance", "Only for retry: what the next attempt should do better.", 2, default="more"),
        "reason": field("Reason", "Why you decide so. Kept with the outcome.", 3, default="because"),
        "reviewer": field("Reviewer", "Your name, as it is kept with the outcome.", 4, enum=["ada", "bob"]),
    }

    assert form.form_schema == whole(
        fields,
        form.draft_sha256,
        required=["decision", "reviewer"],
        **{
            "x-hitl-people": ["ada", "bob"],
            "x-hitl-not-these": ["cy"],
            "x-hitl-named": True,
            "x-hitl-round": "r/1/2",
        },
    )
    assert (form.reviewers, form.not_these, form.round_id, form.named) == (("ada", "bob"), ("cy",), "r/1/2", True)


def test_whoever_answers_blind_sees_no_draft() -> None:
    form = form_for(7, case=CASE, ask=Ask(role="blind"))
    says = ("edit: your own answer, in the fields below.", "reject: no answer is right.")

    assert form.form_schema == whole({"decision": decision("edit", "reject", says=says)}, form.draft_sha256)
    assert form.draft is None


def test_where_answers_are_signed_any_name_may_be_tried() -> None:
    """So that the attempt is recorded."""
    policy = Policy(reviewers=("ada",), reviewer_keys={"ada": KEY}, require_signature=True, max_attempts=1)
    form = form_for(7, case=CASE, policy=policy, ask=Ask(people=("ada",), named=True), typed={"reviewer": "eve"})

    assert form.form_schema["properties"]["reviewer"] == field(
        "Reviewer", "Your name, as it is kept with the outcome.", 4, default="eve"
    )
    assert form.form_schema["x-hitl-signed"] is form.is_signed is True


@pytest.mark.parametrize(
    ("policy", "ask", "is_independent"),
    [
        (Policy(quorum=2), Ask(), True),
        (Policy(quorum=2), Ask(role="tie_breaker"), False),
        (Policy(quorum=2), Ask(role="escalated"), False),
        (Policy(), Ask(), False),
    ],
)
def test_others_who_answer_too_see_nothing_of_this_one(policy: Policy, ask: Ask, is_independent: bool) -> None:
    assert form_for(7, case=CASE, policy=policy, ask=ask).is_independent is is_independent
