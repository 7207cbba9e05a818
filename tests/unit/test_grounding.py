"""Grounding: what the answer names is looked for in the prompt."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from hitl_prefect.figures import dates_in, number, numbers_in, without_dates
from hitl_prefect.grounding import Source
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Part
from hitl_prefect.scorers import READING
from tests.unit.making import a_case, a_generation

LETTER = """Invoice 2026-17 of ACME Corp., 4 March 2026.
12 bolts for Müller's workshop: 1.234,50 EUR, of which VAT 19%. "Pay within 14 days"."""


class Currency(Enum):
    EURO = "EUR"
    DOLLAR = "USD"


class Line(BaseModel):
    item: str
    count: int


class Invoice(BaseModel):
    vendor: str
    total: float
    kind: Literal["Invoice", "Reminder"] = "Invoice"
    currency: Currency | None = None
    lines: list[Line] = []
    paid: bool = False
    place: tuple[Literal["North", "South"], str] | None = None


def grounding(answer, *, prompt=LETTER, kind=Invoice, **facts) -> Part:
    return READING["grounding"](a_case(prompt=prompt, answer=kind), a_generation(answer=answer, **facts))


def test_the_share_that_stands_in_the_prompt_by_field():
    """Vendor: two of three words; total: found; lines: the name is not in the letter, the count is."""
    answer = {"vendor": "Acme Corp Berlin", "total": 1234.5, "lines": [{"item": "Screws", "count": 12}]}

    assert grounding(answer) == Part(
        name="grounding",
        confidence=4 / 6,
        reason="4 of 6 stand in the prompt",
        fields={"vendor": 2 / 3, "total": 1.0, "lines": 0.5},
    )


def test_what_the_schema_dictates_is_not_looked_for():
    """A choice out of given words is the model's conclusion; nobody needs to have written the word."""
    answer = {"kind": "Reminder", "currency": "USD", "paid": True, "place": ["South", "Paris"]}

    assert grounding(answer).fields == {"place": 0.0}


def test_a_bare_answer_has_no_fields():
    assert grounding("ACME asks for 1,234.50", kind=str) == Part(
        name="grounding", confidence=1.0, reason="1 of 1 stand in the prompt"
    )


@pytest.mark.parametrize("answer", ["yes", "", None, {"paid": True}, [], {"kind": "Invoice"}])
def test_where_nothing_can_be_checked_there_is_no_confidence(answer):
    kind = Invoice if isinstance(answer, dict) else str

    assert grounding(answer, kind=kind) == Part(name="grounding", confidence=None, reason="nothing to check")


def test_a_prompt_with_images_cannot_be_checked():
    pieces = ("What does it say?", Image(url="https://example.com/receipt.png"))
    found = grounding({"vendor": "ACME"}, prompt=(Message(role="user", content=pieces),))

    assert found.reason == "the case shows images, which are not read here"
    assert found.confidence is None


def test_what_the_reviewer_wrote_counts_as_given():
    assert grounding({"vendor": "Globex"}).confidence == 0.0
    assert grounding({"vendor": "Globex"}, guidance="The vendor is Globex.").confidence == 1.0


@pytest.mark.parametrize(
    ("claim", "checks"),
    [
        ("1234.5", [True]),
        ("1,234.50", [True]),
        ("1 234,50", [True]),
        ("1'234.50", [True]),
        ("€1,234.50", [True]),
        ("1,243.50", [False]),
        ("0.19", [True]),
        ("19 %", [True]),
        ("2026-03-04", [True]),
        ("2026-03-04T10:30:00Z", [True]),
        ("March 4th, 2026", [True]),
        ("04.03.2026", [True]),
        ("2026-04-05", [False]),
        ('it says "pay  within 14 DAYS"', [True]),
        ('it says "pay within 30 days"', [False]),
        ("MÜLLER", [True]),
        ("Müller\u2019s", [True]),
        ("Bob", [False]),
        ("Bob went home", []),
        ("He paid Bob. Nobody else", [False]),
        ("AB12", [False]),
        ("I", []),
    ],
)
def test_each_thing_that_a_text_names_is_looked_for(claim, checks):
    assert Source.of([LETTER]).checks(claim) == checks


@pytest.mark.parametrize(
    ("literal", "values"),
    [
        ("1,234.50", ["1234.50"]),
        ("1.234,50", ["1234.50"]),
        ("1.234.567", ["1234567"]),
        ("1,00,000.5", ["100000.5"]),
        ("1.234", ["1.234", "1234"]),
        ("0.123", ["0.123"]),
        ("12,5", ["12.5"]),
        ("007", ["7"]),
    ],
)
def test_a_number_has_its_readings(literal, values):
    [found] = numbers_in(f"about {literal}.")

    assert found == set(map(Decimal, values))


@pytest.mark.parametrize("text", ["30 February 2026", "2026-13-01", "5 Mayor 2026", "45.45.2026"])
def test_what_is_no_date_is_left_as_it_is(text):
    assert list(dates_in(text)) == []
    assert without_dates(text) == text


@given(st.dates(date(1000, 1, 1)))
def test_a_date_is_the_same_in_figures_and_in_words(day):
    for written in (day.isoformat(), f"{day.day} {day:%B} {day.year}", f"{day:%b} {day.day}, {day.year}"):
        assert list(dates_in(f"on {written}.")) == [{day}]


@given(st.decimals(0, 10**12, places=2))
def test_a_number_is_found_however_it_is_grouped(value):
    english = f"{value:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    for written in (english, german, english.replace(",", " "), f"{value:f}"):
        assert Source.of([f"sum: {written} in all"]).checks(f"{value:f}") == [True]


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0) | st.integers(0))
def test_a_number_of_json_is_found_where_it_stands_written_out(value):
    assert Source.of([f"sum: {number(value):f} in all"]).checks(value) == [True]


@given(st.text(), st.text())
def test_any_text_can_be_looked_for_in_any_other(source, claim):
    assert all(isinstance(check, bool) for check in Source.of([source]).checks(claim))


@given(st.text() | st.text("Aa12034.,:\"“”«»`% -'\n_TZ"))
def test_what_is_copied_to_the_letter_is_found(text):
    assert all(Source.of([text]).checks(text))


class Node(BaseModel):
    name: str
    inner: "Node | None" = None
    tags: dict[str, Literal["Red", "Blue"]] = Field(default_factory=dict)


def test_a_type_that_holds_itself_is_walked_to_the_end():
    answer = {"name": "Acme", "inner": {"name": "Bob", "inner": None, "tags": {"a": "Red"}}, "tags": {}}

    assert grounding(answer, kind=Node).fields == {"name": 1.0, "inner": 0.0}


def test_the_cells_of_a_table_are_numbers_of_their_own():
    """And what spaces part may be one number all the same."""
    source = Source.of(["100 200 300", "Total 1 234 567 EUR"])

    assert source.checks(200) == source.checks(1234567) == source.checks("1 234 567") == [True]
