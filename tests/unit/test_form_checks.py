"""What is wrong with an answer, told before it is sent: what the form can tell without the flow."""

from typing import Any

import pytest

from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_checks import answer_errors, check_typed
from tests.unit.invoices import DRAFT, form_for


def _refused(typed: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(AnswerRefused) as caught:
        check_typed(form_for(DRAFT), typed)
    return caught.value.errors


@pytest.mark.parametrize(
    "typed",
    [
        {"decision": "approve", "answer": DRAFT},
        {"decision": "edit", "answer": {**DRAFT, "total": 13}},
        {"decision": "reject", "answer": {"total": -1}},
    ],
)
def test_an_answer_that_fits_passes(typed):
    """What stands in the other fields matters only where an edit ships it."""
    check_typed(form_for(DRAFT), typed)


def test_everything_that_is_wrong_is_told_at_once():
    """Entries first, then the fields of the answer, sorted and each with its path."""
    answer = {**DRAFT, "total": -1, "lines": [{"sku": "s", "quantity": 0}]}

    assert _refused({"decision": "edit", "answer": answer, "reason": 1}) == (
        "reason: expected text",
        "lines.0.quantity: 0 is less than the minimum of 1",
        "total: -1 is less than the minimum of 0",
    )


def test_an_edit_without_an_answer_is_refused():
    assert _refused({"decision": "edit"}) == ("answer: edit needs an answer",)


def test_what_is_no_json_is_told_alone():
    """Nothing else can be said of it."""
    nan = "answer: NaN and infinity are no numbers that JSON can say; give a number"

    assert _refused({"decision": "fax", "answer": {"total": float("nan")}}) == (nan,)
    assert answer_errors(form_for(DRAFT), {"total": float("nan")}) == (nan,)


def test_an_answer_of_another_kind_is_told_as_the_answer():
    assert answer_errors(form_for(DRAFT), "twelve") == ("answer: 'twelve' is not of type 'object'",)
    assert answer_errors(form_for(DRAFT), DRAFT) == ()
