"""Values on their way into a form and back: nothing is rendered, rounded or guessed."""

import json
from typing import Any

import pytest

from hitl_prefect.form_values import escape_kinds, prefill, unescape_kinds, with_empty_fields, with_empty_lists

KIND = "__prefect_kind"
TEXT, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}
LINE = {"type": "object", "properties": {"sku": TEXT, "tags": {"type": "array", "default": []}}, "required": ["sku"]}


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def as_text(value: Any) -> dict[str, Any]:
    return {KIND: "json", "value": json.dumps(value, ensure_ascii=False, indent=2)}


CARD = an_object("by", by={"type": "string", "enum": ["card"]}, number=TEXT)
CASH = an_object("by", by={"type": "string", "enum": ["cash"]}, large={"type": "integer"})


@pytest.mark.parametrize(
    ("schema", "value", "filled"),
    [
        ({"type": "integer"}, 2**53 - 1, 2**53 - 1),
        ({"type": "integer"}, 2**53, as_text(2**53)),
        ({"type": "integer"}, -(2**53), as_text(-(2**53))),
        ({}, {"größe": 1}, as_text({"größe": 1})),
        (an_object(a=TEXT), {"a": "x", "b": "no field"}, {"a": "x"}),
        ({"type": "array", "items": an_object(a=TEXT)}, [{"a": "x", "b": 1}], [{"a": "x"}]),
        ({"type": "array"}, [1], [as_text(1)]),
        ({"anyOf": [NULL, an_object(a=TEXT)]}, {"a": "x", "b": 1}, {"a": "x"}),
        ({"anyOf": [an_object(a=TEXT), NULL]}, None, None),
        ({"anyOf": [CARD, CASH]}, {"by": "cash", "large": 2**53}, {"by": "cash", "large": as_text(2**53)}),
        ({"anyOf": [CARD, CASH]}, {"by": "cheque", "number": "7"}, {"by": "cheque", "number": "7"}),
    ],
)
def test_a_field_is_filled_with_what_comes_back_to_the_letter(schema, value, filled):
    """What a browser would round or the server render goes as JSON text; what the form has no field for is left out."""
    assert prefill(schema, value) == filled


@pytest.mark.parametrize(
    ("schema", "submitted", "read"),
    [
        (LINE, {"sku": "s"}, {"tags": [], "sku": "s"}),
        (LINE, {"sku": "s", "tags": ["a"]}, {"tags": ["a"], "sku": "s"}),
        ({"type": "array", "items": LINE}, [{"sku": "s"}], [{"tags": [], "sku": "s"}]),
        (an_object(line=LINE), {"line": {}, "other": 1}, {"line": {"tags": []}, "other": 1}),
        ({"anyOf": [NULL, LINE]}, {"sku": "s"}, {"tags": [], "sku": "s"}),
        ({"anyOf": [NULL, LINE]}, None, None),
        ({}, {"any": "thing"}, {"any": "thing"}),
        ({"type": "array"}, [1, {}], [1, {}]),
        (LINE, "not an object", "not an object"),
    ],
)
def test_a_list_that_was_emptied_is_empty_again(schema, submitted, read):
    """Wherever it stands, and nothing else is touched."""
    assert with_empty_lists(schema, submitted) == read


@pytest.mark.parametrize(
    ("field", "empty"),
    [
        (TEXT, {"f": ""}),
        ({"type": "boolean"}, {"f": False}),
        ({"type": "array"}, {"f": []}),
        ({}, {"f": {}}),
        ({"anyOf": [TEXT, NULL]}, {"f": None}),
        ({"anyOf": [TEXT, NUMBER]}, {}),
        (NUMBER, {}),
        ({"type": "object", "properties": {}}, {}),
    ],
)
def test_a_field_that_was_left_out_is_empty_where_its_type_has_an_empty_value(field, empty):
    """A number has none: nobody said 0."""
    assert with_empty_fields(an_object(f=field), {}) == empty


def test_what_was_said_and_what_must_be_said_is_never_filled_in():
    schema = an_object("vendor", vendor=TEXT, note=TEXT, lines={"type": "array", "items": LINE})

    assert with_empty_fields(schema, {"lines": [{}]}) == {"note": "", "lines": [{"tags": []}]}
    assert with_empty_fields({"type": "object", "properties": {"note": TEXT}}, {"note": "n"}) == {"note": "n"}


HOSTILE = {KIND: "jinja", "template": "{{ 7*7 }}"}


@pytest.mark.parametrize(
    "value", [HOSTILE, {"a": HOSTILE}, [1, HOSTILE], {"a": [{"b": HOSTILE, "c": 1}]}, {KIND: None}]
)
def test_what_the_server_would_render_goes_as_text_and_comes_back_as_itself(value):
    """However deep it stands."""
    escaped = escape_kinds(value)

    assert (escaped[KIND], set(escaped)) == ("json", {KIND, "value"})
    assert json.loads(escaped["value"]) == value
    assert unescape_kinds(escaped) == value


@pytest.mark.parametrize(
    "value", [{"a": [1, {"b": KIND}]}, [], "text", None, {KIND: "jinja", "value": "1"}, {KIND: "json", "value": 1}]
)
def test_what_is_no_json_text_stands_as_it_is(value):
    """Only what we wrote is parsed."""
    assert unescape_kinds(value) == value


def test_only_what_the_server_would_render_is_escaped():
    for value in ({"a": [1, {"b": KIND}]}, [{}], KIND, None, 7):
        assert escape_kinds(value) == value
