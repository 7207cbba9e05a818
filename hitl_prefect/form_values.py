"""Values on their way into the form and back: nothing that a model or a person wrote is evaluated or rounded.

The Prefect server renders every submitted object that holds `__prefect_kind`, and a browser rounds large whole
numbers. Both keep JSON text to the letter: the server only parses it, and the UIs show it in an editor.
"""

import json
from collections.abc import Callable
from typing import Any

from pydantic import JsonValue

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.form_fields import Schema

__all__ = ["escape_kinds", "prefill", "unescape_kinds", "with_empty_fields", "with_empty_lists"]

_KIND = "__prefect_kind"
_NEVER_EMPTY = object()
_SAFE_INTEGER = 2**53 - 1
"""Browsers hold larger whole numbers only roughly."""


def prefill(schema: Schema, value: JsonValue) -> JsonValue:
    """A value as the `default` of its field; what the form has no field for is left out.

    Anything that the UI or the server would mangle is written as JSON text, which the server reads back to the letter:
    free-form objects (the server would render `__prefect_kind` in them) and whole numbers too large for a browser.
    """
    if "type" not in schema and "anyOf" not in schema:
        return _as_json_text(value)
    if "anyOf" in schema:
        return prefill(_option(schema["anyOf"], value), value)
    if isinstance(value, dict):
        return _prefill_object(schema, value)
    if isinstance(value, list):
        return [prefill(schema.get("items", {}), item) for item in value]
    if isinstance(value, int) and abs(value) > _SAFE_INTEGER:
        return _as_json_text(value)
    return value


def with_empty_lists(schema: Schema, value: Any) -> Any:
    """What was submitted, with the lists that a person emptied: one UI leaves them out, which must not be an error."""
    return _completed(schema, value, _emptied_lists)


def with_empty_fields(schema: Schema, value: Any) -> Any:
    """What was submitted, with the fields that were left out: a form lets only those be left out that are then empty.

    A guess at what the answer type makes of it, for who has the form and not the type: which of several empty values a
    field of any type takes, no form says.

    >>> with_empty_fields({"properties": {"total": {"type": "number"}, "note": {"type": "string"}}}, {"total": 1})
    {'note': '', 'total': 1}
    """
    return _completed(schema, value, _left_out)


def _completed(schema: Schema, value: Any, absent: Callable[[Schema, dict[str, Any]], dict[str, Any]]) -> Any:
    """A value with what `absent` says of every object in it, wherever the object says nothing itself."""
    if "anyOf" in schema:
        return _completed(_option(schema["anyOf"], value), value, absent)
    if isinstance(value, list):
        return [_completed(schema.get("items", {}), item, absent) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    fields = schema["properties"]
    said = {name: _completed(fields.get(name, {}), item, absent) for name, item in value.items()}
    return absent(schema, value) | said


def _emptied_lists(schema: Schema, _: dict[str, Any]) -> dict[str, Any]:
    return {name: [] for name, field in schema["properties"].items() if field.get("default") == []}


def _left_out(schema: Schema, value: dict[str, Any]) -> dict[str, Any]:
    said = {*value, *schema.get("required", ())}
    empty = {name: _empty(field) for name, field in schema["properties"].items() if name not in said}
    return {name: nothing for name, nothing in empty.items() if nothing is not _NEVER_EMPTY}


def _empty(schema: Schema) -> Any:
    if "anyOf" in schema:
        return None if any(option.get("type") == "null" for option in schema["anyOf"]) else _NEVER_EMPTY
    if "type" not in schema:  # free-form JSON, which is nearly always a dictionary
        return {}
    return {"array": [], "string": "", "boolean": False}.get(schema["type"], _NEVER_EMPTY)


def escape_kinds(value: JsonValue) -> JsonValue:
    """A value that the Prefect server stores to the letter, even where it holds `__prefect_kind`.

    The server renders such objects as templates. As JSON text it only parses them.

    >>> escape_kinds({"a": {"__prefect_kind": "jinja", "template": "{{ 7*7 }}"}})
    {'__prefect_kind': 'json', 'value': '{"a":{"__prefect_kind":"jinja","template":"{{ 7*7 }}"}}'}
    >>> escape_kinds({"a": 1})
    {'a': 1}
    """
    return {_KIND: "json", "value": canonical_bytes(value).decode()} if _holds_kind(value) else value


def unescape_kinds(value: JsonValue) -> JsonValue:
    """What the server makes of `escape_kinds(value)` or of a `prefill`: JSON text parsed, all else as it stands.

    >>> unescape_kinds({"meta": {"__prefect_kind": "json", "value": "[1]"}})
    {'meta': [1]}
    """
    if isinstance(value, list):
        return [unescape_kinds(item) for item in value]
    if not isinstance(value, dict):
        return value
    text = value.get("value")
    if value.get(_KIND) == "json" and isinstance(text, str):
        parsed: JsonValue = json.loads(text)
        return parsed
    return {key: unescape_kinds(item) for key, item in value.items()}


def _option(options: list[Schema], value: JsonValue) -> Schema:
    return next((option for option in options if _fits(option, value)), options[0])


def _fits(option: Schema, value: JsonValue) -> bool:
    if value is None or option.get("type") == "null":
        return value is None and option.get("type") == "null"
    if not isinstance(value, dict):
        return True
    tags = {name: sub["enum"][0] for name, sub in option.get("properties", {}).items() if len(sub.get("enum", ())) == 1}
    return all(value.get(name) == tag for name, tag in tags.items())


def _prefill_object(schema: Schema, value: dict[str, JsonValue]) -> JsonValue:
    fields = schema.get("properties", {})
    return {name: prefill(fields[name], item) for name, item in value.items() if name in fields}


def _holds_kind(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return _KIND in value or any(_holds_kind(item) for item in value.values())
    return isinstance(value, list) and any(_holds_kind(item) for item in value)


def _as_json_text(value: JsonValue) -> JsonValue:
    return {_KIND: "json", "value": json.dumps(value, ensure_ascii=False, indent=2)}
