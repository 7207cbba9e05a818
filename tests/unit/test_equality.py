"""When two answers say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.scorers.equality import same, same_by_field

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [("The  Answer.", "the answer"), (3, 3.0), (0.1 + 0.2, 0.3), ([1, "A"], [1.0, "a"]), ({"a": "X!"}, {"a": "x"})],
)
def test_what_tells_no_answers_apart_is_not_looked_at(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1_000_000_000, 1_000_000_001),
        (4930123456789, 4930123456780),
        (1234567890.12, 1234567890.99),
        (10**400, 3),
        (1e-13, -9e-13),
        (True, 1),
        (False, None),
        ("", None),
        (".5", "5"),
        ("?", ""),
        ([1, 2], [2, 1]),
        ({"a": None}, {}),
    ],
)
def test_what_is_not_the_same_is_not_taken_for_it(one, other):
    """Account numbers differ by a digit."""
    assert not same(one, other)
    assert not same(other, one)


@given(JSON, JSON)
def test_it_holds_both_ways_and_an_answer_is_the_same_as_itself(one, other):
    assert same(one, one)
    assert same(one, other) == same(other, one)


def test_a_field_that_one_of_them_lacks_is_not_the_same():
    """Also where it is named, and null in the other."""
    assert same_by_field({"a": 1}, {"a": 1, "b": None}, ("a", "b")) == {"a": True, "b": False}
