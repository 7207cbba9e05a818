"""What came back from a form, without a browser: read with the answer type, or refused with the reason."""

from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_reading import read_form, wrong_entries
from hitl_prefect.models import Case
from hitl_prefect.outcomes import FormAnswer
from hitl_prefect.panel import Ask
from tests.unit.invoices import CASE, DRAFT, form_for, refusals

NO_TEXTS = ("guidance: expected text", "reason: expected text", "reviewer: expected text")


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


def test_only_the_first_changes_are_told() -> None:
    """Three say what happened; a form that shows thirty is not read."""
    changed = {"vendor": "Bolt", "total": 13.0, "due": None, "currency": "USD", "tags": ["a"], "lines": DRAFT["lines"]}

    assert refusals(form_for(DRAFT), {"decision": "approve", "answer": changed}) == (
        'you chose approve but changed currency: "EUR" -> "USD"; due: "2026-01-15" -> null; total: 12.0 -> 13.0 ...; '
        "choose edit to change the draft",
    )


def test_an_approval_that_cannot_be_read_says_what_is_wrong_with_it() -> None:
    answer = {**DRAFT, "due": "soon"}

    assert refusals(form_for(DRAFT), {"decision": "approve", "answer": answer}) == (
        "you chose approve but changed due: Input should be a valid date or datetime, input is too short; "
        "choose edit to change the draft",
    )


@pytest.mark.parametrize(
    ("seen_at", "read"),
    [
        ("2026-01-02T12:00:00+00:00", datetime(2026, 1, 2, 12, tzinfo=UTC)),
        ("2026-01-02T12:00:00", None),
        ("yesterday", None),
        (12, None),
    ],
)
def test_when_a_form_was_shown_is_read_where_it_is_a_moment(seen_at: Any, read: datetime | None) -> None:
    """A time without its zone is no moment, and what cannot be read is not held against the person."""
    said = {"decision": "reject", "seen_at": seen_at, "bulk": True, "signature": "s"}

    assert read_form(form_for(DRAFT), CASE, said) == FormAnswer(
        decision="reject", seen_at=read, bulk=True, signature="s"
    )


@pytest.mark.parametrize("bulk", ["yes", 1, False])
def test_only_true_says_that_many_were_decided_at_once(bulk: Any) -> None:
    assert read_form(form_for(DRAFT), CASE, {"decision": "reject", "bulk": bulk}).bulk is False


def test_what_is_no_json_is_refused_before_it_is_read() -> None:
    (error,) = refusals(form_for(DRAFT), {"decision": "edit", "answer": {**DRAFT, "total": float("inf")}})

    assert error == "answer: NaN and infinity are no numbers that JSON can say; give a number"


def test_an_edit_to_nothing_is_no_answer() -> None:
    """A type that allows `None` gets none from a form: that would be an answer which nobody gave."""
    case = Case(id="c1", task="t", prompt="?", answer=Annotated[str, AfterValidator(lambda _: None)])

    assert refusals(form_for("a", case=case), {"decision": "edit", "answer": "b"}, case) == (
        "answer: expected an answer, got none",
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


@pytest.mark.parametrize(
    ("ask", "data", "errors"),
    [
        (Ask(people=("ann", "bob")), {"reviewer": " bob "}, ()),
        (Ask(people=("ann", "bob")), {}, ("reviewer: this form is for ann, bob",)),
        (Ask(named=True), {"reviewer": "eve"}, ()),
        (Ask(named=True), {"reviewer": " "}, ("reviewer: your name is needed here",)),
        (Ask(not_these=("ann",)), {"reviewer": "bob"}, ()),
        (
            Ask(not_these=("ann",)),
            {"reviewer": "ann"},
            ("reviewer: ann has answered this case already, or asked for it; somebody else must answer",),
        ),
        (Ask(), {"round": "r1"}, ()),
        (Ask(), {"round": "r0"}, ("round: somebody has answered since; look at what is asked now",)),
        (Ask(), {"signature": 1}, ("signature: expected text",)),
        (Ask(), {"decision": "retry"}, ("guidance: retry needs a word on what the next attempt should do better",)),
        (Ask(), {"decision": "retry", "guidance": "look at page 2"}, ()),
        (Ask(), {"reviewer": 1, "guidance": [], "reason": {}}, NO_TEXTS),
    ],
)
def test_who_answers_and_to_which_round_must_be_as_asked(
    ask: Ask, data: dict[str, Any], errors: tuple[str, ...]
) -> None:
    """Any name will do where the form asks nobody in particular."""
    assert tuple(wrong_entries(form_for(DRAFT, ask=ask, round_id="r1"), {"decision": "reject", **data})) == errors
