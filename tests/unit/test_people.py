"""Who may be asked: names of one person, and policies that ask for more people than there are."""

import pytest

from hitl_prefect.people import Probes, SecondOpinion, among, check_people, same_person
from hitl_prefect.policy import Policy


@pytest.mark.parametrize("other", ["ada", " Ada ", "ADA", "\uff21da", "a\u200bda", "ada\t"])
def test_one_person_has_many_spellings(other):
    """Case, space, width and characters that draw nothing make no second person."""
    assert same_person("Ada", other)


@pytest.mark.parametrize("other", ["adam", "a da", "", "\u0430da"])
def test_another_name_is_another_person(other):
    """A letter of another alphabet included: only a list of reviewers holds off who lies about their name."""
    assert not same_person("ada", other)


def test_a_name_is_found_among_others():
    """In whatever spelling."""
    assert (among("ADA", ("bob", "ada")), among("eve", ("bob", "ada"))) == (True, False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quorum": 3, "reviewers": ("ada", "bob")}, "3 different people must answer, and reviewers names 2"),
        ({"quorum": 2, "reviewers": ("ada", "Ada ")}, "2 different people must answer, and reviewers names 1"),
        ({"quorum": 2, "reviewers": ("ada", "bob")}, "nobody is left to decide where 2 reviewers disagree"),
        ({"quorum": 2, "reviewers": ("ada", "bob"), "tie_breakers": ("bob",)}, "nobody is left to decide"),
        ({"second_opinion": SecondOpinion(), "reviewers": ("ada",)}, "2 different people must answer"),
        ({"quorum": 2, "second_opinion": SecondOpinion()}, "second_opinion is for quorum=1"),
        ({"tie_breakers": ("eve",)}, "set quorum or second_opinion"),
        ({"reviewers": ("ada", " ")}, "reviewers holds a blank name"),
        ({"escalate_to": ("\u200b",)}, "escalate_to holds a blank name"),
        ({"on_deadline": "escalate"}, "needs escalate_to"),
        ({"on_deadline": "fallback"}, "needs fallback"),
        ({"widen_after_s": 60}, "widen_after_s and widen_to need each other"),
        ({"widen_to": ("bob",)}, "widen_after_s and widen_to need each other"),
        ({"widen_after_s": 60, "widen_to": ("bob",)}, "widen_to needs reviewers"),
        (
            {
                "reviewers": ("ada",),
                "widen_after_s": 60,
                "widen_to": ("bob",),
                "deadline_s": 60,
                "on_deadline": "reject",
            },
            "widen_after_s must be before deadline_s",
        ),
        ({"require_signature": True}, "require_signature needs reviewers: only a listed person's key"),
    ],
)
def test_a_policy_that_cannot_be_honoured_cannot_be_written(fields, message):
    """The message names the field and what to change."""
    with pytest.raises(ValueError, match=message):
        Policy(**fields)


def test_a_second_opinion_for_no_reason_cannot_be_written():
    """It would never be asked."""
    with pytest.raises(ValueError, match="no reason left"):
        SecondOpinion(overrode_at=None, error_cost_at=None, words_per_minute=None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"quorum": 2, "reviewers": ("ada", "bob"), "tie_breakers": ("eve",)},
            "reviewers names 1 without 'Ada', who asked",
        ),
        ({"quorum": 2, "reviewers": ("bob", "eve"), "tie_breakers": ("ada",)}, "nobody is left to decide"),
        ({"quorum": 2, "reviewers": ("ada", "bob", "eve")}, "nobody is left to decide"),
        ({"reviewers": ("ada",)}, "1 different people must answer, and reviewers names 0"),
        ({"escalate_to": ("ada",)}, "escalate_to names nobody but 'Ada'"),
    ],
)
def test_who_asked_for_a_case_is_one_less_to_ask(fields, message):
    """A policy that is fine for others may not be for this requester."""
    policy = Policy(**fields)

    with pytest.raises(ValueError, match=message):
        check_people(policy, "Ada")


@pytest.mark.parametrize(
    "fields",
    [
        {"quorum": 2, "reviewers": ("bob", "eve", "kim")},
        {"quorum": 2, "reviewers": ("bob", "eve"), "tie_breakers": ("kim",)},
        {"quorum": 2, "reviewers": ("bob",), "widen_after_s": 60, "widen_to": ("eve", "kim")},
        {"quorum": 9},
        {"second_opinion": SecondOpinion(), "tie_breakers": ("kim",)},
        {"escalate_to": ("ada", "bob")},
    ],
)
def test_enough_people_pass(fields):
    """Also without who asked for the case; without a list anybody may answer, so nobody counts them."""
    check_people(Policy(**fields), "Ada")

    assert Policy(**fields).requester_may_review is False


def test_more_probes_than_reviews_cannot_be_written():
    """Both are shares of the same reviews: the second would be cut short without a word."""
    with pytest.raises(ValueError, match="blind and seeded are shares of the same reviews, together at most 1"):
        Probes(blind=0.6, seeded=0.5)

    assert Probes(blind=0.5, seeded=0.5).blind == 0.5
