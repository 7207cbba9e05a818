"""An answer type as fields that both Prefect UIs can show, prefill and send back unharmed.

Both UIs draw a subset of JSON schema, and not the same one. What both draw is kept, with its constraints; what one of
them drops or mangles is rewritten; what cannot be rewritten is refused before any model is asked. `tests/browser`
holds the proof for each kind of field.
"""

import json
from typing import Any, NoReturn

from pydantic import JsonValue

from hitl_prefect.answers import answer_type
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError, FormError

__all__ = ["answer_schema", "escape_kinds", "prefill", "unescape_kinds", "with_empty_lists"]

Schema = dict[str, Any]

_KIND = "__prefect_kind"
_RESERVED = {_KIND, "__proto__", "hasOwnProperty"}
"""What the server takes for a template, and what the V1 UI reads of an object of its own."""
_SAFE_INTEGER = 2**53 - 1
"""Browsers hold larger whole numbers only roughly."""
_JSON_HELP = "Written as JSON."
_DATETIME_HELP = "Date and time in ISO 8601, such as 2026-01-31T14:30:00Z."


def answer_schema(answer: Any) -> Schema:
    """The JSON schema of an answer type, in the shape that both UIs understand; no `$ref`, no default.

    Raises:
        FormError: If a person could not submit it; the message names the field and what to use instead.
    """
    try:
        raw = answer_type(answer).json_schema
    except ConfigError as exc:
        raise FormError(str(exc)) from exc
    schema = _Fields(raw.get("$defs", {})).field(raw, "answer", ())
    if _allows_none(raw) or _allows_none(schema):
        _refuse("answer", "may be None, which looks like no answer at all", "a model with an optional field")
    return schema


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
    if "anyOf" in schema:
        return with_empty_lists(_option(schema["anyOf"], value), value)
    if isinstance(value, list):
        return [with_empty_lists(schema.get("items", {}), item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    fields = schema["properties"]
    empty: dict[str, Any] = {name: [] for name, field in fields.items() if field.get("default") == []}
    return empty | {name: with_empty_lists(fields.get(name, {}), item) for name, item in value.items()}


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


class _Fields:
    """Walks a pydantic JSON schema, putting every `$ref` in its place."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self.definitions = definitions

    def field(self, node: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        """One field, and all below it."""
        if "$ref" in node:
            return self._referenced(node, path, inside)
        if "oneOf" in node or "anyOf" in node:
            return self._union(node, path, inside)
        if "enum" in node or "const" in node:
            return _choice(node, path)
        draw = {"object": self._object, "array": self._array}.get(node.get("type", ""))
        return draw(node, path, inside) if draw else _simple(node, path)

    def _referenced(self, node: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        name = node["$ref"].removeprefix("#/$defs/")
        if name in inside:
            _refuse(path, f"holds {name} inside {name}, which no form can draw", "a fixed number of levels, or dict")
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return self.field({**self.definitions[name], **beside}, path, (*inside, name))

    def _object(self, node: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        if "properties" not in node:
            return _json_text(node)
        if node.get("additionalProperties"):
            _refuse(path, "allows fields that nobody declared, which no form can draw", "a field of type dict")
        for name in _RESERVED & node["properties"].keys():
            _refuse(f"{path}.{name}", "has a name that Prefect keeps for itself", "another name or alias")
        fields = {
            name: {**self.field(sub, f"{path}.{name}", inside), "title": sub.get("title", _title(name))}
            for name, sub in node["properties"].items()
        }
        for name in node.get("required", ()):
            if fields[name].get("type") == "array" and not fields[name]["minItems"]:
                fields[name]["default"] = []
        required = [name for name in fields if _is_required(node, name) and "default" not in fields[name]]
        return {**_kept(node), "properties": fields, "required": required}

    def _array(self, node: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        parts = [self.field(part, f"{path}.{n}", inside) for n, part in enumerate(node.get("prefixItems", ()))]
        if any(_nameless(part) != _nameless(parts[0]) for part in parts):
            _refuse(path, "is a tuple of different types, of which one UI makes text", "a model with named fields")
        items = parts[0] if parts else self.field(node.get("items", {}), f"{path}.0", inside)
        kept = {key: value for key, value in _kept(node).items() if key != "prefixItems"}
        # An explicit minItems of 0 lets the UI send an emptied list instead of leaving it out.
        return {**kept, "items": items, "minItems": node.get("minItems", 0)}

    def _union(self, node: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        options = node.get("oneOf") or node.get("anyOf") or []
        if _is_decimal(options):
            beside = {key: value for key, value in node.items() if key != "anyOf"}
            return _text({**options[1], **beside}, path)
        drawn = [self.field(option, path, inside) for option in options]
        flat = [inner for option in drawn for inner in option.get("anyOf", [option])]
        values = [option for option in flat if option.get("type") != "null"]
        if len(values) > 1 and not _told_apart(values):
            _refuse(path, "is a union whose sides a form cannot tell apart", "a discriminated union of models")
        if not all("type" in option for option in flat):
            return _json_text(node)
        return {**_beside_union(node), "anyOf": flat}


def _allows_none(schema: Schema) -> bool:
    return any(option.get("type") == "null" for option in [schema, *schema.get("anyOf", ())])


def _kept(node: Schema) -> Schema:
    """What both UIs or the server read; the prefill brings its own defaults."""
    return {key: value for key, value in node.items() if key not in {"default", "format", "$defs", "examples"}}


def _beside_union(node: Schema) -> Schema:
    return {key: value for key, value in _kept(node).items() if key not in {"oneOf", "anyOf", "discriminator"}}


def _simple(node: Schema, path: str) -> Schema:
    if node.get("type") == "string":
        return _text(node, path)
    return _kept(node) if node.get("type") in {"integer", "number", "boolean", "null"} else _json_text(node)


def _text(node: Schema, path: str) -> Schema:
    kind = node.get("format")
    if kind in {"password", "binary"} or "contentEncoding" in node:
        _refuse(path, "is a secret or bytes, which a form shows or mangles", "str, or a field left out of the answer")
    if kind == "date":
        return {**_kept(node), "format": "date"}
    # The pickers of both UIs drop the seconds, and one of them refuses a time without a zone.
    return _helped(_kept(node), _DATETIME_HELP) if kind == "date-time" else _kept(node)


def _choice(node: Schema, path: str) -> Schema:
    values = node.get("enum", [node["const"]] if "const" in node else [])
    kinds = {type(value) for value in values}
    if kinds not in ({str}, {int}):
        _refuse(path, f"offers the choices {values!r} of mixed or unusual types", "choices that are all str or all int")
    kept = {key: value for key, value in _kept(node).items() if key != "const"}
    return {**kept, "type": "string" if kinds == {str} else "integer", "enum": values}


def _json_text(node: Schema) -> Schema:
    """A field without a type: both UIs draw a JSON editor, and its text reaches us to the letter."""
    return _helped({key: node[key] for key in ("title", "description", "position") if key in node}, _JSON_HELP)


def _helped(schema: Schema, sentence: str) -> Schema:
    return {**schema, "description": f"{schema.get('description', '')}\n\n{sentence}".strip()}


def _is_required(node: Schema, name: str) -> bool:
    """Whether the form insists: also where leaving out would quietly mean a default that says something."""
    if name in node.get("required", ()):
        return True
    return node["properties"][name].get("default") not in (None, "", [], {}, False)


def _is_decimal(options: list[Schema]) -> bool:
    return [option.get("type") for option in options] == ["number", "string"]


def _told_apart(options: list[Schema]) -> bool:
    """Whether each side is an object with a field whose single choice names it."""
    return all(
        any(len(sub.get("enum", ())) == 1 for sub in option.get("properties", {}).values()) for option in options
    )


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


def _title(name: str) -> str:
    """A field's own name as pydantic would write it; a nested model brings only the name of its class."""
    return name.replace("_", " ").strip().title() or name


def _nameless(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "title"}


def _holds_kind(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return _KIND in value or any(_holds_kind(item) for item in value.values())
    return isinstance(value, list) and any(_holds_kind(item) for item in value)


def _as_json_text(value: JsonValue) -> JsonValue:
    return {_KIND: "json", "value": json.dumps(value, ensure_ascii=False, indent=2)}


def _refuse(path: str, what: str, instead: str) -> NoReturn:
    raise FormError(f"{path} {what}; use {instead} instead")
