"""A form without a draft, in both UIs: it is filled in from nothing, and shows nothing of the draft."""

from collections.abc import Callable
from typing import Literal

from playwright.sync_api import expect
from pydantic import BaseModel

from hitl_prefect.form_reading import read_form
from hitl_prefect.outcomes import FormAnswer
from hitl_prefect.panel import Ask as Asks
from tests.browser.desk import Asked
from tests.browser.pages import ResumeForm


class Order(BaseModel):
    item: str
    amount: int
    unit: Literal["box", "piece"]


def test_a_blind_answer_is_given_from_nothing(ask: Callable[..., Asked], ui: ResumeForm) -> None:
    """Every field is empty, and what is typed is what the server stores."""
    asked = ask(Order, Order(item="zinc pens", amount=712, unit="box"), ask=Asks(role="blind"))
    expect(ui.description).to_contain_text("This one comes without a draft, to measure reviewing")
    said = ui.description.inner_text()
    before = [ui.text("Answer", "Item"), ui.text("Answer", "Amount")]

    ui.write("ink", "Answer", "Item")
    ui.write("3", "Answer", "Amount")
    ui.choose("piece", "Answer", "Unit")
    ui.choose("edit", "Decision")
    ui.submit()

    assert (before, "zinc" in said, "712" in said, "0.61" in said) == (["", ""], False, False, False)
    assert asked.response is not None
    assert read_form(asked.form, asked.case, asked.response) == FormAnswer(
        decision="edit", answer={"item": "ink", "amount": 3, "unit": "piece"}
    )
