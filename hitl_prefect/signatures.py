"""Whose signature a verdict needs, and whether it has it.

The answer that is signed is the answer that is stored, to the byte: where the answer type writes it differently than it
was typed (a text that it trims, another spelling of a date) it is asked again in its stored form. So a stored verdict
alone gives back what was signed, and nothing between the two has to be trusted.
"""

import json
from typing import Literal

from pydantic import JsonValue

from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_values import with_empty_fields
from hitl_prefect.forms import Form
from hitl_prefect.outcomes import Verdict
from hitl_prefect.people import People
from hitl_prefect.signing import Statement, verify_verdict

__all__ = ["SignatureState", "check_signature", "signature_state", "statement_of", "statement_typed"]

SignatureState = Literal["good", "missing", "unknown", "wrong"]
"""`unknown`: the policy holds no key of this reviewer; `wrong`: another key, or another statement."""


def statement_of(verdict: Verdict, *, task: str, case: str) -> Statement:
    """What a verdict's signature must be over."""
    return Statement(
        task=task,
        case=case,
        draft_sha256=verdict.draft_sha256,
        form_sha256=verdict.form_sha256,
        decision=verdict.decision,
        answer=_own_answer(verdict.decision, verdict.answer),
        guidance=verdict.guidance,
        reason=verdict.reason,
        reviewer=verdict.reviewer,
    )


def statement_typed(typed: dict[str, JsonValue], form: Form, *, task: str, case: str) -> Statement:
    """What the reviewer signs who submits `typed` to a form; the flow comes to the same from its verdict."""
    decision = str(typed.get("decision", ""))
    answer = with_empty_fields(form.strict_answer, typed.get("answer"))
    return Statement(
        task=task,
        case=case,
        draft_sha256=form.draft_sha256,
        form_sha256=form.sha256,
        decision=decision,
        answer=_own_answer(decision, answer),
        **{name: str(typed.get(name) or "").strip() for name in ("guidance", "reason", "reviewer")},
    )


def signature_state(verdict: Verdict, *, task: str, case: str, policy: People) -> SignatureState:
    """What a verdict's signature is worth under a policy's keys."""
    if verdict.signature is None:
        return "missing"
    key = policy.reviewer_keys.get(verdict.reviewer)
    if key is None:
        return "unknown"
    said = statement_of(verdict, task=task, case=case)
    return "good" if verify_verdict(key, said, verdict.signature) else "wrong"


def check_signature(verdict: Verdict, typed: Statement, policy: People) -> None:
    """Refuse a verdict that the policy wants signed and that is not, or that is signed wrongly.

    Args:
        verdict: What was said.
        typed: The same as it was submitted, before the answer type has read it.
        policy: Whose keys count, and whether a signature is needed.

    Raises:
        AnswerRefused: Saying how to answer instead.
    """
    state = signature_state(verdict, task=typed.task, case=typed.case, policy=policy)
    if state == "good" or (state in ("missing", "unknown") and not policy.require_signature):
        return
    key = policy.reviewer_keys.get(verdict.reviewer)
    if key is not None and verdict.signature is not None and verify_verdict(key, typed, verdict.signature):
        raise AnswerRefused((_in_stored_form(verdict.answer),))
    raise AnswerRefused((_REFUSED[state],))


_REFUSED: dict[SignatureState, str] = {
    "missing": "signature: verdicts on this task are signed: answer with `hitl answer RUN`; the browser cannot sign",
    "unknown": "signature: the policy holds no key of this reviewer: add the one that `hitl keys list` shows to "
    "reviewer_keys",
    "wrong": "signature: it is not this reviewer's, or not for this form: answer what is shown now with "
    "`hitl answer RUN`",
}


def _in_stored_form(answer: JsonValue) -> str:
    text = json.dumps(answer, ensure_ascii=False)
    return f"answer: a signature is over the answer as it is stored, and yours is stored as {text}: sign that"


def _own_answer(decision: str, answer: JsonValue) -> JsonValue:
    """`approve` is about the draft that its sha256 names; the other decisions let nothing of one's own ship."""
    return answer if decision == "edit" else None
