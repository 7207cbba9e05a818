"""What the forms refuse, and what leaving a field empty means: never the draft again."""

from collections.abc import Callable

from playwright.sync_api import expect
from pydantic import BaseModel

from hitl_prefect.form_reading import read_form
from hitl_prefect.outcomes import FormAnswer
from hitl_prefect.policy import Policy
from tests.browser.desk import Asked
from tests.browser.pages import ResumeForm

Ask = Callable[..., Asked]


class Order(BaseModel):
    item: str
    currency: str = "EUR"
    note: str = ""
    amount: int = 1
    limit: int | None = None
    tags: list[str]
    urgent: bool


_DRAFT = Order(item="pens", currency="USD", note="soon", amount=7, limit=9, tags=["a"], urgent=True)


def test_nothing_is_decided_without_a_decision(ask: Ask, ui: ResumeForm) -> None:
    """The decision has no default: submitting the form as it opens is refused, and the run goes on waiting."""
    asked = ask(Order, _DRAFT)

    ui.press_submit()
    expect(ui.complaint).to_contain_text("decision")

    assert asked.response is None


def test_emptied_fields_never_become_the_draft_again(ask: Ask, ui: ResumeForm) -> None:
    """An emptied field that may be empty is stored as empty, also a list."""
    asked = ask(Order, _DRAFT)

    ui.write("", "Answer", "Note")
    ui.write("", "Answer", "Limit")
    ui.remove_item("Answer", "Tags", 0)
    ui.choose("edit", "Decision")
    ui.submit()

    assert asked.response is not None
    assert read_form(asked.form, asked.case, asked.response) == FormAnswer(
        decision="edit",
        answer={"item": "pens", "currency": "USD", "note": "", "amount": 7, "limit": None, "tags": [], "urgent": True},
    )


def test_an_emptied_field_that_says_something_when_left_out_is_refused(ask: Ask, ui: ResumeForm) -> None:
    """Emptying `currency` would quietly mean EUR, so the form insists on a value."""
    asked = ask(Order, _DRAFT)

    ui.write("", "Answer", "Currency")
    ui.choose("edit", "Decision")
    ui.press_submit()
    expect(ui.complaint).to_contain_text("'currency' is a required property")

    assert asked.response is None


def test_without_a_draft_a_person_may_reject_but_not_approve(ask: Ask, ui: ResumeForm) -> None:
    """A form with nothing to approve offers no approve, is empty, and asks for no field when rejecting."""
    asked = ask(Order, None, text="no idea", problems=("amount: expected a number",))

    assert ui.text("Answer", "Item") == ""
    assert asked.form.decisions == ("edit", "reject", "retry")
    ui.choose("reject", "Decision")
    ui.submit()
    assert asked.response is not None
    assert read_form(asked.form, asked.case, asked.response) == FormAnswer(decision="reject")


def test_only_the_policy_s_reviewers_can_answer(ask: Ask, ui: ResumeForm) -> None:
    """With reviewers named, one of them must be chosen; the words for the model go along."""
    asked = ask(Order, _DRAFT, policy=Policy(reviewers=("ann", "bob")))

    ui.choose("retry", "Decision")
    ui.write("Read the second page.", "Guidance")
    ui.choose("bob", "Reviewer")
    ui.submit()

    assert asked.response is not None
    assert read_form(asked.form, asked.case, asked.response) == FormAnswer(
        decision="retry", guidance="Read the second page.", reviewer="bob"
    )


def test_who_is_asked_again_finds_what_they_typed(ask: Ask, ui: ResumeForm) -> None:
    """After an answer that did not apply, the form holds what was typed instead of the draft, and no decision."""
    typed = {"decision": "approve", "answer": _DRAFT.model_dump() | {"item": "ink"}, "reason": "typo"}
    asked = ask(Order, _DRAFT, errors=("you chose approve but changed item",), typed=typed)

    assert (ui.text("Answer", "Item"), ui.text("Reason")) == ("ink", "typo")
    ui.choose("edit", "Decision")
    ui.submit()
    assert asked.response == {**typed, "decision": "edit"}
