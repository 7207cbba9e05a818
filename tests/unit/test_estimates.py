"""Error rates told from few labels."""

from dataclasses import replace

import pytest

from hitl_prefect.binomial import exact_interval
from hitl_prefect.estimates import ErrorRate, error_of_accepted, error_of_all, per_key
from hitl_prefect.evidence import evidence_of
from tests.unit.making import an_outcome

CASE = evidence_of(an_outcome())


def cases(number, *, wrong=None, **changes):
    """So many; `wrong` of them are, the others right; None: nobody looked."""
    return [replace(CASE, right=None if wrong is None else place >= wrong, **changes) for place in range(number)]


ACCEPTED = cases(950, propensity=0.05)
AUDITED = cases(50, wrong=5, propensity=0.05, action="review", reason="audit")
ROUTED = cases(250, wrong=125, propensity=1.0, action="review", reason="below_bar", confidence=0.2)


def test_audits_tell_the_error_of_what_was_accepted():
    """5 of 50 wrong, which stand for 1,000; with the exact interval."""
    low, high = exact_interval(5, 50)

    found = error_of_accepted([*ROUTED, *ACCEPTED, *AUDITED])

    assert found is not None
    assert (found.value, found.labels, found.cases) == (0.1, 50, 1000)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_each_label_stands_for_its_like():
    """1,000 cases with 10% errors and 250 with 50%: 18%, where 130 of the 300 labels are wrong."""
    found = error_of_all([*ROUTED, *ACCEPTED, *AUDITED])

    assert found is not None
    assert (found.value, found.labels, found.cases) == (pytest.approx(0.18), 300, 1250)
    assert (round(found.low, 3), round(found.high, 3)) == (0.125, 0.275)


def test_where_all_cases_are_reviewed_it_is_the_plain_share():
    """With its exact interval."""
    found = error_of_all(ROUTED)

    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.5, *exact_interval(125, 250)))


@pytest.mark.parametrize(
    "evidence",
    [[], ACCEPTED, [*ROUTED, *cases(100, propensity=0.0)]],
    ids=["nothing", "not audited yet", "a part that nobody ever looks at"],
)
def test_what_nobody_knows_has_no_figure(evidence):
    assert error_of_all(evidence) is None
    assert error_of_accepted(evidence) is None


def test_a_small_part_that_nobody_looked_at_widens_the_interval():
    """Ten of 260 cases may all be right, or all wrong."""
    known, found = error_of_all(ROUTED), error_of_all([*ROUTED, *cases(10, propensity=0.0)])

    assert found is not None
    assert known is not None
    assert found.value == known.value
    assert found.low == pytest.approx(known.low * 250 / 260)
    assert found.high == pytest.approx((known.high * 250 + 10) / 260)


def test_drafts_that_were_no_valid_answer_are_left_out():
    """Nobody says whether they were right."""
    assert error_of_all([*ROUTED, *cases(500, propensity=1.0, action="review", reason="invalid")]) == error_of_all(
        ROUTED
    )


def test_the_labels_before_there_was_a_bar_tell_of_one_too():
    """Those at or above it; a rule's are not, for no bar would have accepted them."""
    cold = cases(100, wrong=20, propensity=1.0, action="review", reason="cold_start", confidence=0.9)
    below = cases(100, wrong=90, propensity=1.0, action="review", reason="cold_start", confidence=0.3)
    by_rule = cases(100, wrong=90, propensity=1.0, action="review", reason="rule", confidence=0.9)

    assert error_of_accepted([*cold, *below, *by_rule], bar=0.9) == error_of_all(cold)


def test_each_key_has_its_own_figure():
    other = CASE.key._replace(model="another")

    assert per_key([*ROUTED, *cases(9, key=other)], error_of_all) == {other: None, CASE.key: error_of_all(ROUTED)}


def test_a_rate_is_shown_in_percent():
    assert str(ErrorRate(value=0.18, low=0.134, high=0.268, labels=300, cases=1250)) == "18.0% (13.4% to 26.8%)"
