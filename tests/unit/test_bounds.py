"""How much a person may type, and how what they type is read: to the letter, as JSON, or not at all."""

import json
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from hitl_prefect.answer_files import answer_in_file, answer_in_words, file_text
from hitl_prefect.bounds import MAX_DEPTH, MAX_TYPED_BYTES, out_of_bounds, within_bounds
from hitl_prefect.briefs import Brief
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_checks import answer_errors
from hitl_prefect.forms import build_form
from hitl_prefect.policy import Policy
from tests.unit.making import a_case, a_generation, a_route, a_score


class Line(BaseModel):
    name: str
    count: int


class Note(BaseModel):
    title: str
    lines: list[Line]
    extra: dict[str, JsonValue] = {}


def form_of(answer, draft):
    case, generation = a_case(answer=answer), a_generation(answer=draft, text=json.dumps(draft))
    return build_form(Brief(case=case, generation=generation, score=a_score(), route=a_route(), policy=Policy()))


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("typed", "errors", "kept"),
    [
        ({"answer": "x" * (MAX_TYPED_BYTES - 2)}, [], None),
        ({"answer": "ü" * (MAX_TYPED_BYTES // 2)}, ["answer: 1,000,002 bytes"], {"cut": {"answer": "üü"}}),
        ({"answer": nested(MAX_DEPTH - 1)}, [], None),
        ({"answer": nested(MAX_DEPTH)}, ["answer: more than 64"], {"cut": {"answer": "[["}}),
        ({"answer": nested(100_000)}, ["answer: more than 64"], {"cut": {"answer": "(t"}}),
        ({"answer": {"a": [float("nan")]}, "reason": "r"}, ["answer: NaN"], {"reason": "r", "cut": {"answer": '{"'}}),
        ({"reason": "\ud800", "decision": "edit"}, ["reason: half"], {"decision": "edit", "cut": {"reason": '"\\'}}),
        ({"answer": {"\udfff": 1}}, ["answer: half"], {"cut": {"answer": '{"'}}),
    ],
    ids=["just enough", "too long", "just flat enough", "too deep", "much too deep", "NaN", "half", "half a key"],
)
def test_what_is_out_of_bounds_is_named_and_cut(typed, errors, kept):
    """The rest of the answer is kept whole."""
    told, cut = out_of_bounds(typed), within_bounds(typed)
    begun = typed if kept is None else {**cut, "cut": {name: text[:2] for name, text in cut["cut"].items()}}

    assert [one.startswith(error) for one, error in zip(told, errors, strict=True)] == [True] * len(errors)
    assert begun == (typed if kept is None else kept)
    assert len(json.dumps(cut)) < 20_000 or kept is None


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r")))
def test_a_text_comes_out_of_its_file_to_the_letter(text):
    """Whatever it holds, the mark itself included."""
    form = form_of(str, text)

    assert answer_in_file(form, file_text(form, remarks=("two\nlines",))) == text


@settings(max_examples=30)
@given(st.builds(Note, title=st.text(), lines=st.lists(st.builds(Line, name=st.text(), count=st.integers()))))
def test_an_answer_comes_out_of_its_file_as_it_went_in(note):
    """Numbers too large for a browser too, which the form holds as text."""
    draft = note.model_dump(mode="json")
    form = form_of(Note, draft)
    read = answer_in_file(form, file_text(form))

    assert (read, answer_errors(form, read)) == (draft, ())


@pytest.mark.parametrize(
    ("answer", "words", "means"),
    [
        (str, "plain words", "plain words"),
        (str, '"in quotes"', "in quotes"),
        (str, "42", "42"),
        (str, '{"a": 1}', '{"a": 1}'),
        (Literal["refund", "other"], "refund", "refund"),
        (int, "42", 42),
        (Note, '{"title": "t", "lines": []}', {"title": "t", "lines": []}),
    ],
)
def test_words_on_the_command_line_are_json_or_plain_where_the_answer_is_text(answer, words, means):
    """A text that happens to look like JSON is still that text."""
    assert answer_in_words(form_of(answer, "draft" if answer is str else None), words) == means


def test_words_that_are_no_json_are_refused_where_the_answer_is_not_text():
    """With where the mistake is."""
    with pytest.raises(AnswerRefused, match=r"this is no JSON: .* at line 1 column 12"):
        answer_in_words(form_of(Note, None), '{"title": "t')


def test_all_that_is_wrong_is_told_at_once():
    """Each with the path of its field; the server would tell the first only."""
    errors = answer_errors(form_of(Note, None), {"title": 3, "lines": [{"name": "a", "count": "many"}]})

    assert errors == ("lines.0.count: 'many' is not of type 'integer'", "title: 3 is not of type 'string'")
