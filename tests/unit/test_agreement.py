"""How far raters agree: the same figures as the libraries that people know, and a reason where there is none."""

import math

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from hitl_prefect.agreement import Agreement, cohen_kappa, krippendorff_alpha
from hitl_prefect.shares import Share, gap

_SAID = st.sampled_from("abcd")
_TABLES = st.integers(2, 5).flatmap(
    lambda raters: st.lists(st.lists(st.one_of(st.none(), _SAID), min_size=raters, max_size=raters), min_size=1)
)


@given(st.lists(st.tuples(_SAID, _SAID), min_size=1))
def test_kappa_is_that_of_scikit_learn(pairs):
    """On any table in which not everything is one and the same."""
    assume(len({value for pair in pairs for value in pair}) > 1)

    assert cohen_kappa(pairs).value == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)), abs=1e-12)


@given(_TABLES)
def test_alpha_is_that_of_krippendorffs_package(table):
    """With any number of raters and any values missing."""
    rated = [[value for value in unit if value is not None] for unit in table]
    assume(len({value for unit in rated if len(unit) > 1 for value in unit}) > 1)
    codes = [[np.nan if value is None else float("abcd".index(value)) for value in unit] for unit in table]
    theirs = krippendorff.alpha(np.array(codes).T, level_of_measurement="nominal")

    assert krippendorff_alpha(table).value == pytest.approx(theirs, abs=1e-12)


@given(_TABLES)
def test_a_figure_is_a_number_or_says_why_it_is_none(table):
    """Never NaN, and never above 1."""
    found = krippendorff_alpha(table)

    assert (found.value is None) is (found.why != "")
    assert found.value is None or (math.isfinite(found.value) and found.value <= 1)


def test_the_example_of_krippendorffs_own_paper():
    """Four observers, twelve units, values missing: 0.743."""
    table = ["1 1 . 1", "2 2 3 2", "3 3 3 3", "3 3 3 3", "2 2 2 2", "1 2 3 4", "4 4 4 4", "1 1 2 1", "2 2 2 2"]
    table += [". 5 5 5", ". . 1 1", ". . 3 ."]
    units = [[None if value == "." else value for value in unit.split()] for unit in table]

    assert round(krippendorff_alpha(units).value or 0, 3) == 0.743


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (cohen_kappa([]), Agreement(value=None, why="no case that two have rated", units=0)),
        (krippendorff_alpha([("a",), ("b", None)]), Agreement(value=None, why="no case that two have rated", units=0)),
        (
            cohen_kappa([("a", "a")] * 3),
            Agreement(value=None, why="all said the same everywhere: chance would agree as well", units=3),
        ),
        (cohen_kappa([("a", "b")] * 3), Agreement(value=0.0, units=3)),
        (cohen_kappa([("a", "b"), ("b", "a")]), Agreement(value=-1.0, units=2)),
    ],
)
def test_what_has_no_figure_says_why(found, says):
    """One category only, or nobody to compare with."""
    assert found == says


@given(st.integers(0, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_of_a_share_is_that_of_scipy(counts):
    """Wilson's, without continuity correction."""
    hits, of = counts
    assume(of > 0)
    theirs = binomtest(hits, of).proportion_ci(method="wilson")

    assert Share(hits=hits, of=of).interval() == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_nothing_differs_from_no_cases():
    """No interval is made up."""
    assert gap(Share(hits=0, of=0), Share(hits=1, of=2)) is None
