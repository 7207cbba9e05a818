"""What somebody typed for a flow's parameters, read as the flow declares them."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import JsonValue

from hitl_prefect.errors import ConfigError

__all__ = ["read_parameters"]


def read_parameters(typed: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Parameters as JSON data.

    What takes text gets what was typed as it stands: text from outside, such as the title of an issue, can then not
    become an object, which Prefect's server might render as a template.

    Args:
        typed: What was typed, by parameter.
        schema: The JSON schema of the flow's parameters; where the deployment has none, all is text.

    Raises:
        ConfigError: If the flow has no such parameter, or what was typed is no JSON where it must be.

    >>> read_parameters({"case": "12", "policy": '{"min_confidence": 0.9}'}, {"properties": {
    ...     "case": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "policy": {"$ref": "#/definitions/Policy"}}})
    {'case': '12', 'policy': {'min_confidence': 0.9}}
    """
    properties = schema.get("properties")
    if properties is None:
        return dict(typed)
    return {name: _read(name, text, properties) for name, text in typed.items()}


def _read(name: str, text: str, properties: Mapping[str, Any]) -> JsonValue:
    if name not in properties:
        near = get_close_matches(name, properties, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(sorted(properties)) or 'none'}"
        raise ConfigError(f"the flow has no parameter {name!r}: {hint}")
    if _takes_text(properties[name]):
        return text
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        raise ConfigError(f"parameter {name!r} is no text, and what was given is no JSON: quote it as JSON") from None
    return value


def _takes_text(declared: Mapping[str, Any]) -> bool:
    kinds = [declared, *declared.get("anyOf", ())]
    return any(one.get("type") == "string" for one in kinds)
