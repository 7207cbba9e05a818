"""The arguments of tools as answer types, and what is said where Pydantic AI is not installed."""

import subprocess
import sys

import pytest

import hitl_prefect.agents
from hitl_prefect.agents.arguments import arguments_type
from hitl_prefect.answers import answer_type
from hitl_prefect.form_fields import answer_schema

NODE = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}}}


def test_every_public_name_is_there_and_sorted():
    """`__all__` is what the package promises."""
    assert hitl_prefect.agents.__all__ == sorted(hitl_prefect.agents.__all__)
    assert all(getattr(hitl_prefect.agents, name) is not None for name in hitl_prefect.agents.__all__)


def test_definitions_are_put_in_their_place():
    """A form has no references."""
    money = {"type": "number", "exclusiveMinimum": 0}
    schema = {"type": "object", "properties": {"euros": {"$ref": "#/$defs/Money"}}, "$defs": {"Money": money}}

    assert answer_schema(arguments_type(schema))["properties"] == {"euros": {**money, "title": "Euros"}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"type": "object", "properties": {"hasOwnProperty": {"type": "string"}}},
    ],
)
def test_arguments_that_no_form_can_draw_are_shown_as_json(schema):
    """Nothing is refused: the person sees all of it."""
    assert arguments_type(schema) == dict[str, object] or "properties" not in answer_schema(arguments_type(schema))


def test_a_definition_that_holds_itself_ends():
    """The inner one is written as JSON."""
    schema = {"type": "object", "properties": {"first": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}}
    first = answer_schema(arguments_type(schema))["properties"]["first"]

    assert list(first["properties"]) == ["name", "next"]
    assert "type" not in first["properties"]["next"]


def test_what_the_tool_would_not_take_is_refused():
    """And what it takes is handed on as it was seen."""

    def check(arguments):
        if arguments["euros"] > 10:
            raise ValueError("too much")
        return {"euros": "rounded"}

    reader = answer_type(arguments_type({"type": "object", "properties": {"euros": {"type": "number"}}}, check))

    assert reader.from_json({"euros": 10}) == {"euros": 10}
    with pytest.raises(ValueError, match="too much"):
        reader.from_json({"euros": 11})


def test_without_pydantic_ai_the_install_line_is_told():
    """Only where an agent is used; the rest of the package does without."""
    code = "import sys; sys.modules['pydantic_ai'] = None; from hitl_prefect.agents import run_agent"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert "MissingExtra: agents need Pydantic AI: pip install 'hitl_prefect[agents]'" in done.stderr
