"""Drafts that say the same have one key, and a few of each group are asked about by themselves."""

from hypothesis import example, given
from hypothesis import strategies as st

from hitl_prefect.alike import alike_key, split_group
from hitl_prefect.scorers.equality import same

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -0.0]) | st.text("aB .", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(VALUES, VALUES)
@example({"vendor": "ACME "}, {"vendor": "acme."})
@example(1, True)
@example(3, 3.0)
@example("3", 3)
@example(10**400, 10**400 + 1)
def test_answers_have_one_key_where_they_say_the_same(one, other):
    """The keys find in one pass what comparing each with each would find."""
    assert (alike_key(one, "same") == alike_key(other, "same")) is same(one, other)


@given(VALUES, VALUES)
def test_equal_answers_have_one_key(one, other):
    """To the letter: 3 and 3.0 are two answers."""
    assert (alike_key(one, "equal") == alike_key(other, "equal")) is (
        repr(one) == repr(other) or _reordered(one, other)
    )


def _reordered(one, other):
    """The same object with its fields in another order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            repr(one[key]) == repr(other[key]) or _reordered(one[key], other[key]) for key in one
        )
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(repr(a) == repr(b) or _reordered(a, b) for a, b in zip(one, other, strict=True))
    return False


@given(st.lists(st.integers(), unique=True), st.integers(1, 4), st.integers(2, 5))
def test_each_of_a_group_is_asked_about_once(members, one_by_one, at_most):
    """By itself or with others, at least `one_by_one` by themselves, and no group of one."""
    singles, groups = split_group(members, one_by_one=one_by_one, at_most=at_most)

    assert sorted([*singles, *(one for group in groups for one in group)]) == sorted(members)
    assert len(singles) >= min(one_by_one, len(members))
    assert all(2 <= len(group) <= at_most for group in groups)
