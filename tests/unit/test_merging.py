"""What several people want, made one answer; and what each of them wanted instead."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.merging import merge, proposal
from hitl_prefect.outcomes import Dissent
from tests.unit.making import NOON, a_verdict

DRAFT = {"vendor": "ACME", "total": 12.5, "lines": [{"sku": "a", "n": 1}]}
NAMES = ("ada", "bob", "eve", "kim", "zoe")


def saying(*answers: Any) -> list[Any]:
    """One verdict for each: the draft is approved, `None` rejects, all else is an edit."""
    return [
        a_verdict(
            reviewer=name,
            answer=answer,
            decision="reject" if answer is None else "approve" if answer == DRAFT else "edit",
            decided_at=NOON + timedelta(minutes=at),
        )
        for at, (name, answer) in enumerate(zip(NAMES, answers, strict=False))
    ]


def merged(*answers: Any) -> Any:
    """What would ship; `None` for a rejection, `'tied'` where nobody has a majority."""
    settled = merge(saying(*answers), DRAFT, lambda _: True)
    return settled.answer if settled else "tied"


@pytest.mark.parametrize(
    ("answers", "ships"),
    [
        ([DRAFT, DRAFT], DRAFT),
        ([DRAFT, DRAFT | {"total": 13.0}], "tied"),
        ([DRAFT | {"total": 13.0}, DRAFT | {"total": 13.0}], DRAFT | {"total": 13.0}),
        ([DRAFT | {"total": 13.0}, DRAFT | {"vendor": "Acme"}, DRAFT], DRAFT),
        ([DRAFT | {"total": 13.0}] * 2 + [DRAFT | {"vendor": "Acme"}], DRAFT | {"total": 13.0}),
        ([DRAFT, DRAFT | {"total": 13.0}, DRAFT | {"total": 14.0}], "tied"),
        ([None, None], None),
        ([None, DRAFT], "tied"),
        ([None, None, DRAFT], None),
        ([None, DRAFT, DRAFT], DRAFT),
        ([None, DRAFT, DRAFT | {"total": 13.0}], "tied"),
    ],
)
def test_more_than_half_decide_each_field(answers, ships):
    """Whether anything ships first, then field by field; half is no majority."""
    assert merged(*answers) == ships


@pytest.mark.parametrize(
    ("answers", "ships"),
    [
        ([{"who": {"name": "x", "city": "y"}}, {"who": {"name": "x", "city": "z"}}], "tied"),
        ([{"who": {"name": "x", "city": "y"}}] * 2 + [{"who": {"name": "z"}}], {"who": {"name": "x", "city": "y"}}),
        ([{"tags": ["a", "b"]}, {"tags": ["a", "c"]}, {"tags": ["d", "b"]}], "tied"),
        ([{"tags": ["a", "b"]}, {"tags": ["a", "b"]}, {"tags": []}], {"tags": ["a", "b"]}),
        ([{"who": None}, {"who": {"name": "x"}}, {"who": {"name": "x"}}], {"who": {"name": "x"}}),
        ([{"who": None}, {"who": None}, {"who": {"name": "x"}}], {"who": None}),
        ([{"who": None}, {"who": {"name": "x"}}, {"who": {"name": "y"}}], "tied"),
        ([{}, {"note": None}], {"note": None}),
        ([{}, {}, {"note": "x"}], {}),
        ([{"kind": "card", "number": "1"}, {"kind": "cash"}, {"kind": "cash"}], {"kind": "cash"}),
        ([{"kind": "card", "number": "1"}, {"kind": "card", "number": "2"}, {"kind": "cash"}], "tied"),
        (["yes", "yes", "no"], "yes"),
        ([1, 2, 3], "tied"),
        ([True, True, 1], True),
    ],
)
def test_nested_objects_count_field_by_field_and_lists_as_a_whole(answers, ships):
    """A missing field and `null` are the same word; the second of one list need not be the second of another."""
    assert merged(*answers) == ships


def test_fields_that_do_not_fit_together_are_no_answer():
    """The answer type has the last word: what it refuses goes to a tie-breaker."""
    mixed = [{"low": 1, "high": 5}, {"low": 1, "high": 2}, {"low": 3, "high": 2}]

    settled = merge(saying(*mixed), DRAFT, lambda answer: answer["low"] < answer["high"] - 1)
    assert settled is None


def test_who_said_something_else_is_kept():
    """Each other word once, with its field and all who said it; whoever rejected said it of the whole."""
    other = DRAFT | {"total": 13.0}
    settled = merge(saying(DRAFT, other, DRAFT, other, DRAFT), DRAFT, lambda _: True)
    outvoted = merge(saying(None, DRAFT, DRAFT), DRAFT, lambda _: True)

    assert settled is not None
    assert outvoted is not None
    assert settled.dissent == (Dissent(field="total", value=13.0, reviewers=("bob", "kim")),)
    assert outvoted.dissent == (Dissent(field="", value=None, reviewers=("ada",)),)
    assert (settled.decided_by, settled.decided_at) == ("quorum", NOON + timedelta(minutes=4))


def test_what_was_typed_beside_an_approval_is_no_guidance():
    """Guidance belongs to `retry`."""
    verdicts = [one.model_copy(update={"guidance": "shorter"}) for one in saying(DRAFT, DRAFT)]
    settled = merge(verdicts, DRAFT, lambda _: True)

    assert settled is not None
    assert settled.guidance == ""


FIELDS = st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.sampled_from([None, "x", "y"])})


@given(st.lists(st.none() | FIELDS, min_size=1, max_size=4))
def test_the_order_in_which_people_answer_does_not_change_what_ships(answers):
    """And what ships is, field by field, what more than half of those who want it to ship said."""
    ways = [merged(*order) for order in permutations(answers)]
    ships = [answer for answer in answers if answer is not None]

    assert all(way == ways[0] for way in ways)
    if isinstance(ways[0], dict):
        assert 2 * len(ships) > len(answers)
        assert all(2 * [one[field] for one in ships].count(ways[0][field]) > len(ships) for field in ("a", "b"))


@pytest.mark.parametrize(
    ("answers", "filled"),
    [
        ([DRAFT, DRAFT | {"total": 13.0}], DRAFT),
        ([DRAFT | {"vendor": "Acme", "total": 13.0}, DRAFT | {"vendor": "Acme"}], DRAFT | {"vendor": "Acme"}),
        ([None, DRAFT | {"vendor": "Acme"}], DRAFT),
        ([None, None, DRAFT | {"vendor": "Acme"}], DRAFT),
        ([None, *[DRAFT | {"vendor": "Acme"}] * 2], DRAFT | {"vendor": "Acme"}),
        ([None, None], DRAFT),
    ],
)
def test_a_tie_breaker_s_form_holds_what_most_want(answers, filled):
    """More than half of all, those who reject included; the draft's where there is no majority."""
    assert proposal(saying(*answers), DRAFT, lambda _: True) == filled


def test_a_tie_breaker_s_form_never_holds_what_the_type_refuses():
    """Then it is the draft, whole."""
    assert proposal(saying(*[DRAFT | {"total": -1.0}] * 2), DRAFT, lambda answer: answer["total"] > 0) == DRAFT
