"""Token log probabilities, boiled down."""

import json
from itertools import pairwise
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.logprobs import deciding, summarise
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


def fields(*pairs: tuple[str, float]) -> dict[str, float]:
    return summarise(tokens(*pairs), skip=frozenset({"confidence"})).fields


def test_each_field_has_its_least_likely_token():
    pairs = (('{"a": "', -9), ("x", -0.25), ("y", -0.5), ('", "b": ', -8), ("12", -1), ("}", -7))

    assert fields(*pairs) == {"a": exp(-0.5), "b": exp(-1)}


def test_what_stands_deeper_counts_for_its_top_level_field():
    """Keys do not: the answer type dictates them."""
    pairs = (('{"lines": [{"item', -9), ('": "', -9), ("bolt", -0.5), ('", "n": ', -8), ("3", -2), ("}], ", -7))

    assert fields(*pairs, ('"ok": ', -6), ("true", -0.25), ("}", -5)) == {"lines": exp(-2), "ok": exp(-0.25)}


def test_a_token_over_the_edge_of_a_value_belongs_to_it():
    """And one over two values to both."""
    assert fields(('{"a": "x', -1), ('", "b": "', -9), ('y"}', -2)) == {"a": exp(-1), "b": exp(-2)}
    assert fields(('{"a": ', -9), ('1, "b": 2', -3), ("}", -9)) == {"a": exp(-3), "b": exp(-3)}


def test_quotes_and_brackets_count_where_nothing_stands_between_them():
    pairs = (('{"a": ', -9), ('"', -1), ('"', -2), (', "b": ', -9), ("[]", -3), (', "c": ', -9), ("{ }", -4), ("}", -9))

    assert fields(*pairs) == {"a": exp(-2), "b": exp(-3), "c": exp(-4)}
    assert decision(*pairs) == exp(-2)


def test_the_stated_confidence_is_no_field():
    assert fields(('{"answer": "', -9), ("x", -1), ('", "confidence": ', -9), ("0.9}", -9)) == {"answer": exp(-1)}


def test_a_token_with_a_piece_of_a_character_counts():
    halves = [Token(text="\\xc3", logprob=-4, utf8=(0xC3,)), Token(text="\\xa9", logprob=-5, utf8=(0xA9,))]

    assert summarise([*tokens(('{"a": "', 0)), *halves, *tokens(('"}', -9))]).fields == {"a": exp(-5)}


@pytest.mark.parametrize("text", ["no JSON", '{"a": "cut of', '{1: "x"}', "[1]"])
def test_what_is_no_whole_object_has_no_fields(text):
    assert fields((text, -1)) == {}


@pytest.mark.parametrize(("field", "text"), [("a", 'x"'), ("b", "y"), ("c", None), ("d", None)])
def test_the_deciding_token_of_a_field_is_found(field, text):
    spelled = tokens(('{"a":"', 0), ('x"', 0), (',"b":["', 0), ("y", 0), ('"],"d":[]}', 0))
    found = deciding(spelled, field)

    assert (found and found.text) == text


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
ANSWERS = st.dictionaries(st.text(), VALUES, max_size=4)


class Written:
    """JSON bytes, and for each byte the top-level field whose value it is a part of."""

    def __init__(self, answer: dict, gap: str, *, ascii_only: bool) -> None:
        self.bytes, self.owners, self._gap, self._ascii = b"", [], gap.encode(), ascii_only
        self._write(b"{")
        for number, (name, value) in enumerate(answer.items()):
            self._write(b"," * (number > 0) + self._gap + self._json(name) + b":" + self._gap)
            self._value(value, name)
        self._write(b"}")

    def _json(self, value: object) -> bytes:
        return json.dumps(value, ensure_ascii=self._ascii).encode("utf-8")

    def _write(self, piece: bytes, owner: str | None = None) -> None:
        self.bytes += piece
        self.owners += [owner] * len(piece)

    def _value(self, value: object, owner: str) -> None:
        if isinstance(value, dict | list) and value:
            self._many(value, owner)
        elif isinstance(value, str) and value:
            self._write(b'"')
            self._write(self._json(value)[1:-1], owner)
            self._write(b'"')
        else:
            self._write(self._json(value), owner)

    def _many(self, value: dict | list, owner: str) -> None:
        is_object = isinstance(value, dict)
        self._write(b"{" if is_object else b"[")
        for number, one in enumerate(value):
            self._write(b"," * (number > 0) + self._gap + (self._json(one) + b":" if is_object else b""))
            self._value(value[one] if is_object else one, owner)
        self._write(b"}" if is_object else b"]")


WRITTEN = st.builds(Written, ANSWERS, st.sampled_from(["", " ", "\n  "]), ascii_only=st.booleans())
LOGPROBS = st.floats(-60, 0)


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(WRITTEN, st.data())
def test_any_answer_split_anywhere_has_its_fields(written, data):
    """The lowest of the tokens that overlap the field's value, as told byte by byte."""
    pieces = cut_at(written.bytes, data.draw(st.lists(st.integers(0, len(written.bytes)))))
    logprobs = [data.draw(LOGPROBS) for _ in pieces]
    spelled = [Token(text="?", utf8=tuple(one), logprob=logprob) for one, logprob in zip(pieces, logprobs, strict=True)]
    by_byte = [logprob for one, logprob in zip(pieces, logprobs, strict=True) for _ in one]
    expected: dict[str, float] = {}
    for owner, logprob in zip(written.owners, by_byte, strict=True):
        if owner is not None:
            expected[owner] = min(expected.get(owner, 1.0), exp(max(-50, logprob)))

    assert summarise(spelled).fields == expected


@given(WRITTEN, st.data())
def test_splitting_a_token_further_changes_neither_fields_nor_decision(written, data):
    """Where the pieces keep its log probability: places tell nothing by themselves."""
    cuts = data.draw(st.lists(st.integers(1, len(written.bytes) - 1), unique=True))
    more = data.draw(st.lists(st.integers(1, len(written.bytes) - 1), unique=True))
    coarse = [(one, data.draw(LOGPROBS)) for one in cut_at(written.bytes, cuts)]
    by_byte = [logprob for one, logprob in coarse for _ in one]
    fine, at = [], 0
    for one in cut_at(written.bytes, list({*cuts, *more})):
        fine.append((one, by_byte[at]))
        at += len(one)
    one, other = (
        summarise([Token(text="?", utf8=tuple(piece), logprob=logprob) for piece, logprob in split])
        for split in (coarse, fine)
    )

    assert (one.fields, one.decision, one.minimum) == (other.fields, other.decision, other.minimum)
