"""One answer type with every kind of field that a form offers, and a draft of it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue, create_model

__all__ = ["DRAFT", "KEYWORDS", "Everything", "Line", "named"]


class Colour(StrEnum):
    red = "red"
    green = "green"


class Line(BaseModel):
    sku: str
    quantity: int = Field(ge=1, le=99)


class Address(BaseModel):
    street: str
    zip_code: str = ""


class Letter(BaseModel):
    by: Literal["letter"]
    stamps: int


class Mail(BaseModel):
    by: Literal["mail"]
    inbox: str


class Everything(BaseModel):
    name: str = Field(title="Vendor", description="Who sends it.", min_length=2, max_length=200)
    summary: str
    total: float = Field(ge=0)
    count: int = Field(ge=-9, le=9)
    paid: bool
    colour: Colour
    kind: Literal["a", "b"]
    only: Literal["one"]
    due: date
    sent: datetime
    tags: list[str]
    marks: list[Literal["x", "y", "z"]]
    lines: list[Line]
    address: Address
    note: str = ""
    price: Decimal
    size: tuple[int, int]
    extra: dict[str, Any]
    anything: JsonValue
    huge: int
    tiny: float
    empty: str
    maybe_text: str | None = None
    maybe_none: str | None = None
    maybe_number: int | None = None
    maybe_flag: bool | None = None
    maybe_day: date | None = None
    maybe_address: Address | None = None
    maybe_list: list[str] | None = None
    maybe_kind: Literal["a", "b"] | None = None
    way: Annotated[Letter | Mail, Field(discriminator="by")]


DRAFT = Everything(
    name="ACME",
    summary="A long text.\n\nWith *stars*,\ttabs and ümläuts. " * 40,
    total=12.3456,
    count=3,
    paid=True,
    colour=Colour.green,
    kind="b",
    only="one",
    due=date(2026, 1, 15),
    sent=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    tags=["p", "q"],
    marks=["x", "z"],
    lines=[Line(sku="s1", quantity=1), Line(sku="s2", quantity=2)],
    address=Address(street="Main", zip_code="1"),
    note="hi",
    price=Decimal("12.50"),
    size=(3, 4),
    extra={"a": {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}},
    anything={"__prefect_kind": "workspace_variable", "variable_name": "secret"},
    huge=12345678901234567891,
    tiny=1.5e-9,
    empty="",
    maybe_text="here",
    maybe_none=None,
    maybe_number=4,
    maybe_flag=True,
    maybe_day=date(2026, 2, 3),
    maybe_address=Address(street="Side"),
    maybe_list=["m"],
    maybe_kind="a",
    way=Mail(by="mail", inbox="post"),
)

KEYWORDS = (
    *("type", "required", "properties", "items", "enum", "const", "pattern", "minimum", "not", "default", "title"),
    *("description", "format", "anyOf", "allOf", "oneOf", "$ref", "$defs", "definitions", "additionalProperties"),
    *("position", "block_type_slug", "example", "if", "then", "minItems", "value", "key", "length", "a.b", "a b"),
)


def named(names: tuple[str, ...]) -> type[BaseModel]:
    """An answer type with a text field for each name, titled `Field <name>`."""
    fields: dict[str, Any] = {
        f"field_{index}": (str, Field(alias=name, title=f"Field {name}")) for index, name in enumerate(names)
    }
    return create_model("Named", **fields)
