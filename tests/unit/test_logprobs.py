"""Token log probabilities, boiled down."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.logprobs import summarise
from hitl_prefect.models import LogprobSummary
from hitl_prefect.protocols import Token


def tokens(*pairs: tuple[str, float]) -> list[Token]:
    return [Token(text=text, logprob=logprob) for text, logprob in pairs]


def decision(*pairs: tuple[str, float], skip: frozenset[str] = frozenset({"confidence"})) -> float | None:
    return summarise(tokens(*pairs), skip=skip).decision


def test_no_tokens_no_summary():
    assert summarise([]) is None


def test_mean_minimum_and_count():
    assert summarise(tokens(("a", -1.0), ("b", -3.0))) == LogprobSummary(mean=exp(-2), minimum=exp(-3), tokens=2)


def test_the_sentinel_for_very_unlikely_is_bounded():
    """OpenAI sends -9999.0, which would drown every other token."""
    assert summarise(tokens(("a", -9999.0))).minimum == exp(-50)


@pytest.mark.parametrize("logprob", [0.1, float("inf"), float("nan"), float("-inf")])
def test_a_number_that_is_no_log_probability_stays_within_bounds(logprob):
    assert 0 <= summarise(tokens(("a", logprob))).mean <= 1


def test_the_first_token_of_the_value_decides():
    """Not the braces, not the key, not what follows within the value."""
    assert decision(('{"', -9), ("answer", -8), ('":"', -7), ("ref", -0.25), ("und", -6), ('"}', -5)) == exp(-0.25)


def test_a_token_that_holds_quote_and_value_decides():
    assert decision(('{"answer":', -9), (' "yes', -0.25), ('"}', -5)) == exp(-0.25)


def test_the_stated_confidence_does_not_decide():
    pairs = (('{"answer": "', 0), ("a", -0.25), ('", "confidence": ', 0), ("0", -9), (".9}", 0))

    assert decision(*pairs) == exp(-0.25)
    assert decision(*pairs, skip=frozenset()) == exp(-9)


def test_only_the_top_level_field_of_that_name_is_skipped():
    assert decision(('{"a": {"confidence": ', 0), ("1", -0.25), ("}}", 0)) == exp(-0.25)


def test_the_least_sure_of_several_values_decides():
    pairs = (('{"a": "', 0), ("x", -0.25), ('", "b": [', 0), ("1", -0.5), (", ", 0), ("true", -2), ("], ", 0))

    assert decision(*pairs, ('"c": {"d": ', 0), ("null", -1), ("}}", 0)) == exp(-2)


def test_values_after_characters_of_many_bytes_are_found():
    """A token may hold half a character; places are counted in bytes, in which every token is whole."""
    halves = [Token(text="\\xc3", logprob=-4, utf8=(0xC3,)), Token(text="\\xa9", logprob=-5, utf8=(0xA9,))]
    summary = summarise([*tokens(('{"a": "', 0)), *halves, *tokens(('😀", "b": "', -6), ("y", -9), ('"}', 0))])

    assert summary.decision == exp(-9)


def test_half_a_character_decides_where_the_value_begins_with_it():
    halves = [Token(text="\\xc3", logprob=-4, utf8=(0xC3,)), Token(text="\\xa9", logprob=-5, utf8=(0xA9,))]

    assert summarise([*tokens(('{"a": "', 0)), *halves, *tokens(('"}', 0))]).decision == exp(-4)


def test_bytes_that_are_no_text_do_not_move_what_follows():
    broken = Token(text="?", logprob=-1, utf8=(0xFF,))
    summary = summarise([*tokens(('{"a": "', 0)), broken, *tokens(('", "b": "', -6), ("y", -9), ('"}', 0))])

    assert summary.decision == exp(-9)


@pytest.mark.parametrize("text", ["", "no JSON", "{", '{"a"', '{"a": ', '{"a": "cut of', '{"a": [1, ', "{}", "[1]"])
def test_what_is_no_whole_object_has_no_decision(text):
    assert decision((text, -1)) is None


def test_a_code_fence_is_read_through():
    assert decision(("```json\n", 0), ('{"answer": "', 0), ("a", -0.25), ('"}\n```', 0)) == exp(-0.25)


@given(st.lists(st.tuples(st.text(), st.floats(max_value=0)), min_size=1))
def test_any_tokens_have_a_summary(pairs):
    assert summarise(tokens(*pairs)).tokens == len(pairs)
