"""What a reviewer is shown of the way from one attempt to the next."""

import pytest

from hitl_prefect.briefs import Brief
from hitl_prefect.diffing import changes
from hitl_prefect.form_description import describe
from hitl_prefect.panel import Ask
from hitl_prefect.policy import Policy
from tests.unit.making import a_case, a_generation, a_route, a_score

LETTER = "Dear Ada,\n\nthank you for your order.\nIt ships on Monday.\n\nKind regards\nthe shop"


def shown(answer, *, before, role="reviewer", **facts):
    """The description of a second attempt."""
    earlier = before if not isinstance(before, dict | str) else a_generation(answer=before, text="earlier")
    brief = Brief(
        case=a_case(),
        generation=a_generation(**{"answer": answer, "attempt": 2, "guidance": "Look again.", **facts}),
        score=a_score(),
        route=a_route(),
        policy=Policy(),
        ask=Ask(role=role),
        earlier=earlier,
    )
    return describe(brief)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1, "b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [1, 3]}}, "b.c.1\n- 2\n+ 3"),
        ({"a": [1]}, {"a": [1, 2]}, "a\n- [\n-   1\n- ]\n+ [\n+   1,\n+   2\n+ ]"),
        ({"a": None}, {"a": ""}, 'a\n- null\n+ ""'),
        ({"a": "refund", "b": 1}, {"a": "billing", "b": 2}, "a\n[-refund-] {+billing+}\n\nb\n- 1\n+ 2"),
        ("one two", "one two three", "one two {+three+}"),
        ("a  b", "a b", "...\n- a  b\n+ a b"),
        (LETTER, LETTER.replace("Monday", "Tuesday"), "...\n  thank you for your order.\n- It ships on Monday.\n"
         "+ It ships on Tuesday.\n  "),
        ("-- a\n@@ b", "-- a\n@@ c", "...\n  -- a\n- @@ b\n+ @@ c"),
    ],
)  # fmt: skip
def test_changes_are_shown_by_field_line_or_word(before, after, said):
    """Whatever the answer is made of."""
    assert changes(before, after) == said


def test_no_line_is_wider_than_the_form():
    """Long texts are broken at spaces, also where only one line of many is long."""
    words = " ".join(f"word{n}" for n in range(200))
    said = changes({"a": f"first\n{words}", "b": 1}, {"a": f"second\n{words} more", "b": [words]})

    assert max(map(len, said.splitlines())) <= 70


def test_a_long_answer_is_cut():
    """Neither a value nor the number of fields can bury the form."""
    many = changes({f"f{n}": n for n in range(99)}, {})
    long = changes({"a": "x" * 9_000}, {"a": 1})

    assert many.endswith("[... 49 more fields differ ...]")
    assert "[... 5,000 characters are hidden here ...]" in long


def test_what_differs_out_of_sight_is_told():
    """A change in the part that was cut is not shown as none."""
    assert changes("x" * 9_000, "x" * 4_500 + "y" + "x" * 4_499) == (
        "[only spacing differs, or the part that is hidden here]"
    )


def test_the_form_shows_the_guidance_and_what_became_of_it():
    """Both behind fences."""
    said = shown({"total": 13}, before={"total": 12.5})

    assert (
        "### Since the attempt before\n\nThe guidance that was given:\n\n```text\nLook again.\n```\n\n"
        "What changed since attempt 1, `-` before and `+` now:\n\n```text\ntotal\n- 12.5\n+ 13\n```"
    ) in said


def test_an_attempt_that_changed_nothing_says_so():
    """Guidance that had no effect is seen at once."""
    said = shown({"total": 12.5}, before={"total": 12.5})

    assert "**Nothing changed:** the draft says the same as attempt 1." in said


def test_an_attempt_without_an_answer_is_not_compared():
    """It says why there was none."""
    refused = a_generation(answer=None, status="refused", problems=("the model declined to answer",))
    said = shown({"total": 12.5}, before=refused)

    assert "Attempt 1 has no answer to compare with:\n\n- ` the model declined to answer `" in said


def test_the_difference_can_do_nothing():
    """Fences, images and characters that turn the text around are shown as they are written."""
    said = shown("```\n![](http://x)\u202e", before="fine\nand good", guidance="```\n# hi")

    assert "````text\n...\n- fine\n- and good\n+ ```\n+ ![](http://x)\\u202e\n````" in said
    assert "````text\n```\n# hi\n````" in said


def test_who_answers_blind_sees_no_earlier_draft():
    """The difference would show what must not be seen."""
    assert "Since the attempt before" not in shown({"total": 13}, before={"total": 12.5}, role="blind")


def test_a_form_that_is_shown_again_says_why_where_nothing_was_typed():
    """What did not apply may be a signature, or an empty form."""
    brief = Brief(
        case=a_case(),
        generation=a_generation(),
        score=a_score(),
        route=a_route(),
        policy=Policy(),
        errors=("there is no signature",),
    )

    assert describe(brief).split("\n\n")[:2] == [
        "**The last answer did not apply, so you are asked again:**",
        "- ` there is no signature `",
    ]
    assert "What was typed" not in describe(brief)
