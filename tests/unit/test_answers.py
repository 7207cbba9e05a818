"""Answer types: the schema that the model is given, and what is read from its text."""

import math
from enum import StrEnum
from functools import partial
from typing import Any, Generic, Literal, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, field_validator, model_validator

from hitl_prefect.answers import AnswerType, Reading, answer_type
from hitl_prefect.errors import ConfigError


class Invoice(BaseModel):
    """What stands on an invoice."""

    vendor: str
    total: float = Field(ge=0)


class Sure(BaseModel):
    """Has a confidence of its own."""

    confidence: str


class Aliased(BaseModel):
    """Writes another name."""

    sure: str = Field(alias="confidence")


class Numbers(RootModel[list[int]]): ...


class Color(StrEnum):
    RED = "red"


def properties(answer: Any, *, ask_confidence: bool = True) -> list[str]:
    schema = AnswerType(answer).draft_model(ask_confidence=ask_confidence).model_json_schema()
    return list(schema["properties"])


def test_a_function_is_no_answer_type():
    """Pydantic takes one, and would call it with what the model or a reviewer wrote."""

    def act(command: str) -> str:
        raise AssertionError(f"called with {command!r}")

    for function in (act, partial(act)):
        with pytest.raises(ConfigError, match="is a function"):
            AnswerType(function)


def test_a_model_gains_a_confidence_field():
    assert properties(Invoice) == ["vendor", "total", "confidence"]
    assert properties(Invoice, ask_confidence=False) == ["vendor", "total"]


@pytest.mark.parametrize("answer", [str, Literal["a", "b"], Color, list[int], Numbers, int | None])
def test_any_other_answer_is_wrapped(answer):
    assert properties(answer) == ["answer", "confidence"]


@pytest.mark.parametrize("answer", [Sure, Aliased])
def test_a_field_of_the_answer_is_never_taken_for_the_confidence(answer):
    text = '{"confidence": "high", "stated_confidence_of_answer": 0.5}'

    assert properties(answer) == ["confidence", "stated_confidence_of_answer"]
    assert AnswerType(answer).read(text) == Reading(answer={"confidence": "high"}, stated_confidence=0.5)


def test_the_draft_keeps_the_words_of_the_model():
    """The docstring is a part of the prompt."""
    schema = AnswerType(Invoice).draft_model(ask_confidence=True).model_json_schema()

    assert (schema["title"], schema["description"]) == ("Invoice", "What stands on an invoice.")


def test_the_draft_of_a_generic_model_has_a_plain_name():
    value = TypeVar("value")

    class Box(BaseModel, Generic[value]):
        inside: value

    assert AnswerType(Box[int]).draft_model(ask_confidence=False).__name__ == "Box_int_"


@pytest.mark.parametrize(
    ("answer", "text", "expected"),
    [
        (Invoice, '{"vendor": "A", "total": 1}', Reading(answer={"vendor": "A", "total": 1.0})),
        (str, '{"answer": "yes"}', Reading(answer="yes")),
        (Color, '{"answer": "red", "confidence": 1}', Reading(answer="red", stated_confidence=1)),
        (Numbers, '{"answer": [1, 2]}', Reading(answer=[1, 2])),
        (int | None, '{"answer": null}', Reading(answer=None)),
        (str, '```json\n{"answer": "yes"}\n```', Reading(answer="yes")),
        (str, '\n```\n{"answer": "yes"}\n```\n', Reading(answer="yes")),
        (str, '{"answer": "```"}', Reading(answer="```")),
    ],
)
def test_what_fits_is_read(answer, text, expected):
    assert AnswerType(answer).read(text) == expected


@pytest.mark.parametrize("confidence", ["2", "-0.1", "true", '"0.5"', "null", "[]"])
def test_a_confidence_that_is_none_is_left_out(confidence):
    """It spoils nothing else: a missing confidence is uncertain by itself."""
    text = f'{{"answer": "yes", "confidence": {confidence}}}'

    assert AnswerType(str).read(text) == Reading(answer="yes")


@pytest.mark.parametrize(
    ("answer", "text", "problem"),
    [
        (str, "yes", "not JSON: expected"),
        (str, "", "not JSON: EOF"),
        (str, '{"answer": "a"} and more', "not JSON: trailing characters"),
        (str, '{"answer": NaN}', "not JSON: expected value"),
        (str, "[" * 5000, "not JSON: recursion limit"),
        (str, '"yes"', "expected a JSON object, got str"),
        (Invoice, '{"vendor": "A"}', "total: Field required"),
        (Invoice, '{"vendor": "A", "total": -1}', "total: Input should be greater than or equal to 0"),
        (Literal["a"], '{"answer": "b"}', "answer: Input should be 'a'"),
        (float, '{"answer": 1e999}', "answer: NaN and infinity are no numbers"),
    ],
)
def test_what_does_not_fit_is_told_in_words(answer, text, problem):
    reading = AnswerType(answer).read(text)

    assert reading.answer is None
    assert reading.problems[0].startswith(problem)


@pytest.mark.parametrize("answer", [str | None, Any])
def test_no_answer_is_not_an_answer_of_none(answer):
    """Else an empty object would count as a valid draft."""
    assert AnswerType(answer).read('{"confidence": 0.9}').problems == ("answer: Field required",)


def test_a_validator_that_says_no_is_a_problem():
    class Even(BaseModel):
        number: int

        @model_validator(mode="after")
        def _even(self) -> "Even":
            if self.number % 2:
                raise ValueError("must be even")
            return self

    assert AnswerType(Even).read('{"number": 3}').problems == ("answer: Value error, must be even",)


def test_a_type_that_json_cannot_describe_is_refused():
    class Opaque: ...

    with pytest.raises(ConfigError, match="no type that pydantic can describe"):
        AnswerType(Opaque)


def test_a_value_that_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        AnswerType(float).as_json(math.nan)


def test_an_answer_type_is_made_once():
    assert answer_type(Invoice) is answer_type(Invoice)


@given(st.text())
def test_any_text_can_be_read(text):
    assert isinstance(AnswerType(Invoice).read(text), Reading)


@given(st.text(), st.floats(0, 1))
def test_what_was_written_is_what_is_read(answer, confidence):
    draft = AnswerType(str).draft_model(ask_confidence=True)
    text = draft(answer=answer, confidence=confidence).model_dump_json()

    assert AnswerType(str).read(text) == Reading(answer=answer, stated_confidence=confidence)


def test_a_validator_that_raises_anything_makes_the_answer_invalid():
    """A user's own code never fails the run: the draft goes to a person, with what it said."""

    class Priced(BaseModel):
        total: float

        @field_validator("total")
        @classmethod
        def _looked_up(cls, value):
            return {}[value]

    assert AnswerType(Priced).read('{"total": 1}').problems == ("the answer type's own code failed: KeyError: 1.0",)
