"""An answer type as fields that both Prefect UIs can show, prefill and send back unharmed.

Both UIs draw a subset of JSON schema, and not the same one. What both draw is kept, with its constraints; what one of
them drops or mangles is rewritten; what cannot be rewritten is refused before any model is asked. `tests/browser`
holds the proof for each kind of field.
"""

from typing import Any, NoReturn

from hitl_prefect.answers import answer_type
from hitl_prefect.errors import ConfigError, FormError

__all__ = ["Schema", "answer_schema"]

Schema = dict[str, Any]

_RESERVED = {"__prefect_kind", "__proto__", "hasOwnProperty"}
"""What the server takes for a template, and what the V1 UI reads of an object of its own."""
_JSON_HELP = "Written as JSON."
_DATETIME_HELP = "Date and time in ISO 8601, such as 2026-01-31T14:30:00Z."


def answer_schema(answer: Any) -> Schema:
    """The JSON schema of an answer type, in the shape that both UIs understand; no `$ref`, no default.

    Raises:
        FormError: If a person could not submit it; the message names the field and what to use instead.
    """
    try:
        reader = answer_type(answer)
    except ConfigError as exc:
        raise FormError(str(exc)) from exc
    raw = reader.json_schema
    _check_round_trip(raw, reader.adapter.json_schema(mode="serialization"))
    schema = _Fields(raw.get("$defs", {})).field(raw, "answer", ())
    if _allows_none(raw) or _allows_none(schema):
        _refuse("answer", "may be None, which looks like no answer at all", "a model with an optional field")
    return schema


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


def _check_round_trip(read: Schema, written: Schema) -> None:
    """A draft is written by the type and read back by it, so both must use the same names."""
    pairs = [("answer", read, written)]
    pairs += [(name, node, written.get("$defs", {}).get(name, node)) for name, node in read.get("$defs", {}).items()]
    for path, into, out in pairs:
        for name in into.get("properties", {}).keys() - out.get("properties", {}).keys():
            _refuse(f"{path}.{name}", "is read under a name that it is not written under", "one alias for both")
        for name in out.get("properties", {}).keys() - into.get("properties", {}).keys():
            if into.get("additionalProperties") is False:
                _refuse(f"{path}.{name}", "is computed, and its model forbids to read it back", "extra='ignore'")


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


def _title(name: str) -> str:
    """A field's own name as pydantic would write it; a nested model brings only the name of its class."""
    return name.replace("_", " ").strip().title() or name


def _nameless(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "title"}


def _refuse(path: str, what: str, instead: str) -> NoReturn:
    raise FormError(f"{path} {what}; use {instead} instead")
