"""Which reviewed cases are shown before a prompt, and how."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hitl_prefect.answers import answer_type
from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import prompt_name
from hitl_prefect.example_sets import Reviewed
from hitl_prefect.example_turns import question_sha256, show_examples, without_examples
from hitl_prefect.examples import ExamplePool, select_examples, tokens_in
from hitl_prefect.form_description import _prompt
from hitl_prefect.messages import Message
from hitl_prefect.outcomes import CaseRecord
from hitl_prefect.people import SecondOpinion
from hitl_prefect.policy import Policy
from hitl_prefect.prompting import shown_as_turns
from hitl_prefect.stakes import is_doubtful
from hitl_prefect.training import lesson_of
from tests.unit.mails import MAILS, Code, case
from tests.unit.making import NOON, a_case, a_generation, a_score, a_verdict, an_outcome


def names(picked: Any) -> list[str]:
    return [one.case_id for one in picked]


# Which are shown.


def test_the_most_alike_are_shown_by_case_id():
    """A provider's cache wants the same examples in the same order, whatever they are like."""
    picked = select_examples("My parcel has not arrived at home", MAILS, k=3)

    assert names(picked) == ["a", "c", "e"]
    assert picked == select_examples("My parcel has not arrived at home", MAILS[::-1], k=3)


def test_neither_the_case_itself_nor_nearly_the_same_is_shown():
    """It would give the answer away."""
    twin = case("twin", "Where is my parcel?  It should have come on monday!", "D-2")

    picked = select_examples(MAILS[0].prompt, (*MAILS, twin), k=6)

    assert names(picked) == ["b", "c", "d", "e"]


def test_two_that_are_nearly_the_same_are_not_both_shown():
    twin = case("twin", MAILS[2].prompt.upper(), "D-2")

    assert len({"c", "twin"} & set(names(select_examples("My parcel?", (*MAILS, twin), k=6)))) == 1


def test_a_corrected_case_comes_before_one_that_was_right():
    pair = [
        case("right", "The parcel is late, says Bob."),
        case("wrong", "The parcel is slow, says Eve.", corrected=True),
    ]

    assert names(select_examples("The parcel is late", pair, k=1)) == ["wrong"]


def test_answers_are_balanced():
    """Of two like the case, the one whose answer is not shown yet."""
    alike = [
        case("one", "The parcel is late by a week", "D-2"),
        case("two", "My parcel comes late, one week or so", "D-2"),
        case("off", "The parcel is late, pay us the week", "R-9"),
    ]

    picked = select_examples("The parcel is late by one week or so", alike, k=2)

    assert {one.answer for one in picked} == {"D-2", "R-9"}


def test_no_more_is_shown_than_the_budget_takes_and_what_is_too_long_makes_room_for_others():
    long = case("long", "parcel " * 400, "D-2")

    picked = select_examples("My parcel?", (*MAILS, long), k=6, max_tokens=40)

    assert 0 < sum(tokens_in(one.prompt, json.dumps(one.answer)) for one in picked) <= 40
    assert "long" not in names(picked)


@pytest.mark.parametrize("prompt", ["", "!!!", "\x00\u202e", "日本語の荷物"])
def test_any_prompt_can_be_asked_about(prompt):
    assert len(select_examples(prompt, MAILS, k=2)) == 2
    assert select_examples(prompt, ()) == ()
    assert names(select_examples("x", [case("odd", prompt)])) == ["odd"]


def test_at_least_one_example_of_one_token():
    with pytest.raises(ConfigError, match="k=0"):
        ExamplePool(MAILS).select("?", k=0)


# How they are shown.

HASTE = Policy(second_opinion=SecondOpinion(words_per_minute=600))
PLAIN = (Message(role="system", content="Give the code."), Message(role="user", content="My parcel?"))


def test_a_prompt_with_examples_is_the_same_question_and_another_prompt():
    """So the case stays the same, and evidence of a bar begins anew with each set."""
    one, two = ([(MAILS[place].prompt, "D-2")] for place in (0, 2))
    shown = [
        show_examples(PLAIN, one, number=1),
        show_examples(PLAIN, two, number=1),
        show_examples(PLAIN, one, number=2),
    ]
    prompts = [prompt_name(CaseRecord.of(a_case(prompt=prompt))) for prompt in (PLAIN, *shown)]

    assert {question_sha256(prompt) for prompt in shown} == {a_case(prompt=PLAIN).prompt_sha256}
    assert [prompts.index(name) for name in prompts] == [0, 1, 1, 3]


@given(
    systems=st.lists(st.text(), max_size=3),
    asked=st.text(),
    examples=st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=3),
    number=st.integers(1, 10**7),
)
def test_the_prompt_without_its_examples_is_what_it_was(systems, asked, examples, number):
    plain = (*(Message(role="system", content=text) for text in systems), Message(role="user", content=asked))

    assert without_examples(show_examples(plain, examples, number=number)) == plain


def test_a_conversation_of_several_turns_has_no_place_for_examples():
    turns = (*PLAIN, Message(role="assistant", content="D-2"), Message(role="user", content="Sure?"))

    assert show_examples(turns, [("a", "b")], number=1) == turns
    assert without_examples(turns) == turns


def test_the_reviewer_and_the_training_files_see_the_case_without_examples():
    shown = show_examples(PLAIN, [("An earlier one. " * 100, "D-2")], number=1)
    record = a_case(prompt=shown)

    assert _prompt(record) == _prompt(a_case(prompt=PLAIN))
    verdict = a_verdict(decided_at=NOON + timedelta(seconds=1))
    assert not is_doubtful(verdict, record, a_generation(), a_score(), HASTE)
    assert lesson_of(an_outcome(case=CaseRecord.of(record))).messages == PLAIN


def test_an_answer_is_shown_as_the_model_writes_it_and_only_where_it_fits_the_type():
    class Bill(BaseModel):
        vendor: str
        total: float

    bills = (
        Reviewed(case_id="1", prompt="a", answer={"total": 2.5, "vendor": "Acmé"}),
        Reviewed(case_id="2", prompt="b", answer="old"),
    )

    assert shown_as_turns(bills, answer_type(Bill)) == [("a", '{"vendor": "Acmé", "total": 2.5}')]
    assert shown_as_turns(MAILS[:1], answer_type(Code)) == [(MAILS[0].prompt, '{"answer": "D-2"}')]
