"""The arguments of a tool as an answer type: what the form shows, and what an edit is checked against."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from hitl_prefect.errors import FormError
from hitl_prefect.forms import check_form

__all__ = ["arguments_type"]


def arguments_type(schema: dict[str, Any], check: Callable[[Any], object] | None = None) -> Any:
    """The type of a tool's arguments.

    Args:
        schema: The JSON schema of the arguments, an object. Where no form can draw it, or it has no fields, the form
            shows the arguments as JSON.
        check: Raises `ValueError` where the tool would not take the arguments; what it returns is not used, so that
            the tool gets what the person saw.

    >>> arguments_type({"type": "object", "properties": {}})
    dict[str, typing.Any]
    """
    plain: Any = dict[str, Any] if check is None else Annotated[dict[str, Any], AfterValidator(_checked(check))]
    if not schema.get("properties"):
        return plain
    typed = Annotated[plain, WithJsonSchema(_whole(schema, schema.get("$defs", {})))]
    try:
        check_form(typed)
    except FormError:
        return plain
    return typed


def _whole(node: Any, definitions: dict[str, Any], inside: tuple[str, ...] = ()) -> Any:
    """The schema with every definition in its place; one that holds itself is left open, and written as JSON."""
    if isinstance(node, list):
        return [_whole(item, definitions, inside) for item in node]
    if not isinstance(node, dict):
        return node
    beside = {key: _whole(value, definitions, inside) for key, value in node.items() if key not in ("$ref", "$defs")}
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    if not name or name in inside or name not in definitions:
        return beside
    return {**_whole(definitions[name], definitions, (*inside, name)), **beside}


def _checked(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    def checked(arguments: Any) -> Any:
        check(arguments)
        return arguments

    return checked
