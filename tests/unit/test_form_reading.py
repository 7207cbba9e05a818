"""What came back from a form, without a browser: read with the answer type, or refused with the reason."""

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_reading import read_form
from hitl_prefect.models import Case
from hitl_prefect.outcomes import FormAnswer
from tests.unit.invoices import CASE, DRAFT, form_for, refusals


@pytest.mark.parametrize(
    "seen", [{"answer": DRAFT}, {"answer": {**DRAFT, "total": 12}}, {"draft_sha256": form_for(DRAFT).draft_sha256}]
)
def test_approve_means_the_draft(seen: dict[str, Any]) -> None:
    """Named by its fields, where 12 and 12.0 are the same number, or by its sha256."""
    form = form_for(DRAFT)

    assert read_form(form, CASE, {"decision": "approve", **seen}) == FormAnswer(decision="approve", answer=DRAFT)


@pytest.mark.parametrize("answer", [{}, {"answer": None}])
def test_approve_that_names_nothing_is_refused(answer: dict[str, Any]) -> None:
    """A browser omits a text that was emptied: that must not ship the draft."""
    with pytest.raises(AnswerRefused, match="approve names what it approves"):
        read_form(form_for(DRAFT), CASE, {"decision": "approve", **answer})


def test_approve_never_runs_the_draft_through_its_validators_again() -> None:
    """A validator that changes what it is given would make every draft look edited."""
    answer = Annotated[str, AfterValidator(lambda text: f"{text}!")]
    case = Case(id="c1", task="t", prompt="?", answer=answer)

    assert read_form(form_for("a!", case=case), case, {"decision": "approve", "answer": "a!"}).answer == "a!"


def test_approve_of_something_else_is_refused() -> None:
    """What was approved is what ships."""
    changed = {**DRAFT, "total": 13, "lines": [{"sku": "s", "quantity": 2}]}

    assert refusals(form_for(DRAFT), {"decision": "approve", "answer": changed}) == (
        "you chose approve but changed lines.0.quantity: 1 -> 2; total: 12.0 -> 13.0; choose edit to change the draft",
    )


def test_an_edit_is_read_with_the_answer_type() -> None:
    """Its own validators and dates count, which no server checks."""
    form = form_for(DRAFT)
    wrong = {**DRAFT, "vendor": "ACME", "due": "soon"}

    assert read_form(form, CASE, {"decision": "edit", "answer": {**DRAFT, "total": 13}}) == FormAnswer(
        decision="edit", answer={**DRAFT, "total": 13.0}
    )
    assert read_form(form, CASE, {"decision": "edit", "answer": DRAFT}).decision == "edit"
    assert refusals(form, {"decision": "edit", "answer": wrong}) == (
        "vendor: Value error, write the vendor in mixed case",
        "due: Input should be a valid date or datetime, input is too short",
    )


def test_an_emptied_list_is_empty_and_not_the_draft() -> None:
    """One UI leaves it out."""
    data = {"decision": "edit", "answer": {key: DRAFT[key] for key in ("vendor", "total", "currency")}}

    assert read_form(form_for(DRAFT), CASE, data).answer == {**DRAFT, "due": None, "tags": [], "lines": []}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "decision: choose one of approve, edit, reject, retry"),
        ({"decision": "escalate"}, "decision: choose one of approve, edit, reject, retry"),
        ({"decision": "edit"}, "answer: edit needs an answer"),
        (
            {"decision": "retry", "guidance": " "},
            "guidance: retry needs a word on what the next attempt should do better",
        ),
        ({"decision": "reject", "channel": "fax"}, "channel: expected one of ui, cli, api"),
        ({"decision": "reject", "colour": "red"}, "colour: the form has no such field"),
        ({"decision": "reject", "reason": 1}, "reason: expected text"),
        (
            {"decision": "reject", "draft_sha256": "0" * 64},
            "draft_sha256: this decision is about another draft; look at the one shown here",
        ),
    ],
)
def test_an_answer_that_does_not_apply_says_why(data: dict[str, Any], error: str) -> None:
    """One sentence per problem, the field first."""
    assert refusals(form_for(DRAFT), data) == (error,)


def test_who_rejects_need_not_fill_in_the_answer() -> None:
    """What stands in the other fields does not matter then."""
    data = {"decision": "reject", "answer": {"total": -1}, "reason": " no ", "reviewer": "ann", "channel": "cli"}

    assert read_form(form_for(DRAFT), CASE, data) == FormAnswer(
        decision="reject", reason="no", reviewer="ann", channel="cli"
    )
