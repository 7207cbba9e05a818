"""Every kind of field, in both UIs: shown with the draft, changed, submitted, and stored as it was typed."""

from collections.abc import Callable
from typing import Any

import pytest

from hitl_prefect.answers import answer_type
from hitl_prefect.form_reading import read_form
from hitl_prefect.form_values import escape_kinds
from hitl_prefect.outcomes import FormAnswer
from tests.browser.answers import DRAFT, KEYWORDS, Everything, named
from tests.browser.desk import Asked, Desk
from tests.browser.pages import ResumeForm

Ask = Callable[..., Asked]

_AS_DRAFTED = answer_type(Everything).as_json(DRAFT)
_A = "Answer"


def test_an_untouched_form_sends_the_draft_to_the_letter(ask: Ask, ui: ResumeForm) -> None:
    """Approving without a touch stores exactly the draft: every kind of field survives the round trip."""
    asked = ask(Everything, DRAFT)

    ui.choose("approve", "Decision")
    ui.submit()

    assert asked.response == {"decision": "approve", "answer": _AS_DRAFTED}
    assert read_form(asked.form, asked.case, asked.response) == FormAnswer(decision="approve", answer=_AS_DRAFTED)


@pytest.mark.full
def test_every_field_shows_the_draft_and_can_be_changed(ask: Ask, ui: ResumeForm) -> None:
    """What a person typed, picked, flipped, added and removed is what the server stores."""
    asked = ask(Everything, DRAFT)

    assert _shown(ui) == _SHOWN
    _change_everything(ui)
    ui.choose("edit", "Decision")
    ui.write("Wrong vendor.", "Reason")
    ui.write("ann", "Reviewer")
    ui.submit()

    assert asked.response == {"decision": "edit", "answer": _CHANGED, "reason": "Wrong vendor.", "reviewer": "ann"}
    read = read_form(asked.form, asked.case, asked.response)
    assert read == FormAnswer(decision="edit", answer=_CHANGED_AS_READ, reason="Wrong vendor.", reviewer="ann")


@pytest.mark.parametrize(
    ("answer", "draft"),
    [(str, "plain *text*"), (list[str], ["p", "q"]), (dict[str, Any], {"a": {"__prefect_kind": "json", "value": "1"}})],
    ids=["str", "list", "dict"],
)
def test_an_answer_need_not_be_a_model(ask: Ask, ui: ResumeForm, answer: Any, draft: Any) -> None:
    """A bare answer type has the same one field, `answer`."""
    asked = ask(answer, draft)

    ui.choose("approve", "Decision")
    ui.submit()

    assert asked.response == {"decision": "approve", "answer": draft}


def test_fields_named_like_json_schema_keywords_can_be_submitted(ask: Ask, ui: ResumeForm) -> None:
    """Inside `answer` no name meets the V2 UI's habit of validating the values as a schema."""
    answer = named(KEYWORDS)
    asked = ask(answer, answer.model_validate(dict.fromkeys(KEYWORDS, "draft")))

    ui.write("changed", _A, "Field type")
    ui.write("changed", _A, "Field properties")
    ui.choose("edit", "Decision")
    ui.submit()

    changed = dict.fromkeys(KEYWORDS, "draft") | {"type": "changed", "properties": "changed"}
    assert asked.response == {"decision": "edit", "answer": changed}


def test_a_program_may_answer_with_keys_that_the_form_does_not_show(desk: Desk) -> None:
    """`channel` and `draft_sha256` are taken, anything else is refused; `__prefect_kind` is stored to the letter."""
    asked = desk.ask(dict[str, Any], {"a": 1})
    typed = {
        "decision": "edit",
        "answer": {"t": {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}},
        "channel": "cli",
        "draft_sha256": asked.form.draft_sha256,
    }

    assert asked.resume({"decision": "edit", "decison": "edit"}) == "REJECT"
    assert asked.resume({}) == "REJECT"
    assert asked.resume({"decision": "edit"}) == "REJECT"
    assert asked.resume(escape_kinds(typed)) == "ACCEPT"
    assert asked.response == typed


def _shown(ui: ResumeForm) -> dict[str, Any]:
    return {
        "name": ui.text(_A, "Vendor"),
        "summary": ui.text(_A, "Summary"),
        "total": ui.text(_A, "Total"),
        "paid": ui.is_on(_A, "Paid"),
        "colour": ui.choice(_A, "Colour"),
        "only": ui.choice(_A, "Only"),
        "due": "".join(filter(str.isdigit, ui.day(_A, "Due").partition(",")[0])),
        "sent": ui.text(_A, "Sent"),
        "tags": [ui.text(_A, "Tags", 0), ui.text(_A, "Tags", 1)],
        "marks": ui.chips(_A, "Marks"),
        "lines": [ui.text(_A, "Lines", 1, "Sku"), ui.text(_A, "Lines", 1, "Quantity")],
        "address": ui.text(_A, "Address", "Street"),
        "price": ui.text(_A, "Price"),
        "size": [ui.text(_A, "Size", 0), ui.text(_A, "Size", 1)],
        "extra": ui.json_text(_A, "Extra"),
        "huge": ui.json_text(_A, "Huge"),
        "tiny": ui.text(_A, "Tiny"),
        "empty": ui.text(_A, "Empty"),
        "maybe_text": (ui.tab(_A, "Maybe Text"), ui.text(_A, "Maybe Text")),
        "maybe_none": ui.tab(_A, "Maybe None"),
        "maybe_flag": ui.is_on(_A, "Maybe Flag"),
        "maybe_address": ui.text(_A, "Maybe Address", "Street"),
        "maybe_kind": ui.choice(_A, "Maybe Kind"),
        "way": (ui.tab(_A, "Way"), ui.text(_A, "Way", "Inbox")),
    }


def _change_everything(ui: ResumeForm) -> None:
    ui.write("Acme & Sons <b>", _A, "Vendor")
    ui.write("Two\nlines", _A, "Summary")
    ui.write("99.125", _A, "Total")
    ui.write("-4", _A, "Count")
    ui.flip(_A, "Paid")
    ui.choose("red", _A, "Colour")
    ui.pick_day(20, _A, "Due")
    ui.write("2026-05-06T07:08:09Z", _A, "Sent")
    ui.write("Q", _A, "Tags", 1)
    ui.remove_item(_A, "Tags", 0)
    ui.add_item(_A, "Tags")
    ui.write("new", _A, "Tags", 1)
    ui.choose("y", _A, "Marks")
    ui.write("s9", _A, "Lines", 0, "Sku")
    ui.remove_item(_A, "Lines", 1)
    ui.write("Elm", _A, "Address", "Street")
    ui.write("", _A, "Note")
    ui.write("0.10", _A, "Price")
    ui.write("8", _A, "Size", 1)
    ui.write_json('{"__prefect_kind": "jinja", "template": "{{ 1 + 1 }}"}', _A, "Extra")
    ui.write_json("[1, null]", _A, "Anything")
    ui.write_json("12345678901234567892", _A, "Huge")
    ui.open_tab("None", _A, "Maybe Text")
    ui.open_tab("str", _A, "Maybe None")
    ui.write("now", _A, "Maybe None")
    ui.write("5", _A, "Maybe Number")
    ui.flip(_A, "Maybe Flag")
    ui.pick_day(21, _A, "Maybe Day")
    ui.write("Up", _A, "Maybe Address", "Street")
    ui.write("n", _A, "Maybe List", 0)
    ui.choose("b", _A, "Maybe Kind")
    ui.open_tab("Letter", _A, "Way")
    ui.choose("letter", _A, "Way", "By")
    ui.write("2", _A, "Way", "Stamps")


_SHOWN = {
    "name": "ACME",
    "summary": DRAFT.summary,
    "total": "12.3456",
    "paid": True,
    "colour": "green",
    "only": "one",
    "due": "15",
    "sent": "2026-01-02T03:04:05Z",
    "tags": ["p", "q"],
    "marks": ["x", "z"],
    "lines": ["s2", "2"],
    "address": "Main",
    "price": "12.50",
    "size": ["3", "4"],
    "extra": '{\n  "a": {\n    "__prefect_kind": "jinja",\n    "template": "{{ 7 * 7 }}"\n  }\n}',
    "huge": "12345678901234567891",
    "tiny": "1.5e-9",
    "empty": "",
    "maybe_text": ("str", "here"),
    "maybe_none": "None",
    "maybe_flag": True,
    "maybe_address": "Side",
    "maybe_kind": "a",
    "way": ("Mail", "post"),
}
_CHANGED = {
    **{key: value for key, value in _AS_DRAFTED.items() if key != "note"},
    "name": "Acme & Sons <b>",
    "summary": "Two\nlines",
    "total": 99.125,
    "count": -4,
    "paid": False,
    "colour": "red",
    "due": "2026-01-20",
    "sent": "2026-05-06T07:08:09Z",
    "tags": ["Q", "new"],
    "marks": ["x", "z", "y"],
    "lines": [{"sku": "s9", "quantity": 1}],
    "address": {"street": "Elm", "zip_code": "1"},
    "price": "0.10",
    "size": [3, 8],
    "extra": {"__prefect_kind": "jinja", "template": "{{ 1 + 1 }}"},
    "anything": [1, None],
    "huge": 12345678901234567892,
    "maybe_text": None,
    "maybe_none": "now",
    "maybe_number": 5,
    "maybe_flag": False,
    "maybe_day": "2026-02-21",
    "maybe_address": {"street": "Up", "zip_code": ""},
    "maybe_list": ["n"],
    "maybe_kind": "b",
    "way": {"by": "letter", "stamps": 2},
}
_CHANGED_AS_READ = {**_CHANGED, "note": ""}
