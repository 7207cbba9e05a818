import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.metrics import (
    Interval,
    aurc,
    auroc,
    bootstrap_interval,
    brier,
    coverage_at_risk,
    expected_calibration_error,
    prr,
    risk_curve,
)

FIGURES = (auroc, aurc, prr, brier, expected_calibration_error)
COARSE = st.integers(0, 8).map(lambda eighths: eighths / 8)
"""Few values, so that ties are the rule; eighths, so that no sum of them is rounded."""


def columns(smallest=1):
    return st.lists(st.tuples(COARSE, st.booleans()), min_size=smallest, max_size=30).map(
        lambda rows: tuple(map(list, zip(*rows, strict=True)))
    )


def both_kinds():
    return columns(2).filter(lambda found: len(set(found[1])) == 2)


@given(both_kinds())
def test_auroc_and_brier_are_those_of_scikit_learn(found):
    """With ties."""
    confidence, right = found

    assert auroc(confidence, right) == pytest.approx(roc_auc_score(right, confidence))
    assert brier(confidence, right) == pytest.approx(brier_score_loss(right, confidence))


@given(columns())
def test_the_risk_curve_is_the_mean_over_every_order_of_a_tie(found):
    """By brute force, for up to five cases."""
    confidence, right = found[0][:5], found[1][:5]
    orders = [
        order
        for order in itertools.permutations(range(len(right)))
        if all(confidence[a] >= confidence[b] for a, b in itertools.pairwise(order))
    ]
    curves = [[sum(not right[case] for case in order[:n]) / n for n in range(1, len(order) + 1)] for order in orders]

    expected = [sum(column) / len(column) for column in zip(*curves, strict=True)]
    assert risk_curve(confidence, right) == pytest.approx(expected)
    assert aurc(confidence, right) == pytest.approx(sum(expected) / len(expected))


@given(columns(), st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5, 1.0]))
def test_the_coverage_is_that_of_the_best_bar(found, risk):
    """By trying each bar."""
    confidence, right = found
    accepted = [[good for sure, good in zip(confidence, right, strict=True) if sure >= bar] for bar in confidence]
    kept = [len(some) / len(right) for some in accepted if some.count(False) <= risk * len(some)]

    assert coverage_at_risk(confidence, right, risk=risk) == pytest.approx(max(kept, default=0))


def test_the_calibration_error_is_the_gap_in_each_bin_by_its_share():
    """Worked out by hand: bins hold 2, 1 and 1 of the cases, gaps are |0.65 - 0.5|, |0.95 - 1| and |1 - 0|."""
    confidence, right = [0.61, 0.69, 0.85, 0.95], [True, False, False, True]

    expected = 0.5 * 0.15 + 0.25 * 0.85 + 0.25 * 0.05
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)
    assert expected_calibration_error(confidence, right, bins=1) == pytest.approx(abs(0.775 - 0.5))


def test_a_sure_confidence_belongs_to_the_last_bin():
    """1 lies at the upper edge of all bins."""
    assert expected_calibration_error([1.0, 0.9], [True, False]) == pytest.approx(0.45)


@given(columns())
def test_every_figure_is_in_its_range(found):
    """Nothing is NaN, and only a ranking of one kind of cases has no value."""
    figures = {figure.__name__: figure(*found) for figure in FIGURES}

    one_kind = len(set(found[1])) == 1
    assert (figures["auroc"] is None, figures["prr"] is None) == (one_kind, one_kind)
    assert all(0 <= figures[name] <= 1 for name in ("aurc", "brier", "expected_calibration_error"))
    assert all(0 <= risk <= 1 for risk in risk_curve(*found))
    assert one_kind or (0 <= figures["auroc"] <= 1 and figures["prr"] <= 1)


@given(columns(), st.randoms(use_true_random=False))
def test_no_figure_hangs_on_the_order_of_the_cases(found, random):
    """Ties included."""
    rows = list(zip(*found, strict=True))
    random.shuffle(rows)
    shuffled = tuple(map(list, zip(*rows, strict=True)))

    assert [figure(*shuffled) for figure in FIGURES] == pytest.approx([figure(*found) for figure in FIGURES])


@given(columns())
def test_a_ranking_is_the_same_however_it_is_stretched(found):
    """Figures of the ranking do not change under a strictly increasing map."""
    confidence, right = found
    stretched = [sure**3 / 2 + sure / 4 for sure in confidence]

    assert auroc(stretched, right) == auroc(confidence, right)
    assert risk_curve(stretched, right) == risk_curve(confidence, right)
    assert coverage_at_risk(stretched, right, risk=0.1) == coverage_at_risk(confidence, right, risk=0.1)


@given(both_kinds())
def test_turned_round_a_ranking_is_as_bad_as_it_was_good(found):
    """AUROC of 1 less the confidence is 1 less the AUROC."""
    confidence, right = found

    assert auroc([1 - sure for sure in confidence], right) == pytest.approx(1 - auroc(confidence, right))


@given(both_kinds())
def test_no_ranking_beats_the_perfect_one(found):
    """Right cases first: the area under the risk curve is as small as it gets."""
    confidence, right = found
    perfect = [float(good) for good in right]

    assert aurc(perfect, right) <= aurc(confidence, right) + 1e-12
    assert prr(perfect, right) == pytest.approx(1)
    assert prr([0.5] * len(right), right) == pytest.approx(0)


@given(columns(), COARSE, COARSE)
def test_more_risk_never_covers_less(found, one, other):
    """Coverage grows with what is allowed."""
    low, high = sorted((one, other))

    assert coverage_at_risk(*found, risk=low) <= coverage_at_risk(*found, risk=high)


@pytest.mark.parametrize(
    ("confidence", "right", "said"),
    [
        ([0.5], [], "1 confidences for 0 cases"),
        ([], [], "no cases"),
        ([1.5], [True], "outside"),
        ([float("nan")], [True], "NaN"),
        ([None], [True], "NaN"),
    ],
)
def test_unusable_columns_are_refused_in_words(confidence, right, said):
    """By every figure."""
    for figure in (*FIGURES, risk_curve):
        with pytest.raises(ConfigError, match=said):
            figure(confidence, right)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: expected_calibration_error([0.5], [True], bins=0),
        lambda: coverage_at_risk([0.5], [True], risk=5),
        lambda: bootstrap_interval(brier, [0.5], [True], draws=0),
        lambda: bootstrap_interval(brier, [0.5], [True], level=95),
    ],
)
def test_settings_that_mean_nothing_are_refused(refused):
    """A risk in per cent, a level in per cent, no bins, no draws."""
    with pytest.raises(ConfigError):
        refused()


def test_the_interval_of_a_mean_is_the_normal_one():
    """Brier of 400 half-sure cases where a quarter has 0 and the rest 1: a mean of 400 numbers."""
    confidence, right = [0.0] * 100 + [1.0] * 300, [True] * 100 + [True] * 300
    found = bootstrap_interval(brier, confidence, right)

    half = 1.96 * (0.25 * 0.75 / 400) ** 0.5
    assert found.value == 0.25
    assert (found.low, found.high) == (pytest.approx(0.25 - half, abs=0.004), pytest.approx(0.25 + half, abs=0.004))


def test_the_same_seed_gives_the_same_interval():
    """And another seed another."""
    confidence, right = [0.1, 0.4, 0.35, 0.8, 0.9, 0.2], [False, False, True, True, True, False]
    found = [bootstrap_interval(auroc, confidence, right, draws=200, seed=seed) for seed in (1, 1, 2)]

    assert found[0] == found[1] != found[2]


def test_the_difference_of_a_score_and_itself_is_none_at_all():
    """Both are looked at on the same draws."""
    confidence, right = [0.1, 0.4, 0.35, 0.8], [False, False, True, True]
    found = bootstrap_interval(auroc, confidence, right, against=confidence, draws=100)

    assert found == Interval(value=0, low=0, high=0, level=0.95)


def test_a_better_score_has_a_difference_above_none():
    """Perfect against useless, over 40 cases."""
    right = [True, False] * 20
    found = bootstrap_interval(auroc, [float(good) for good in right], right, against=[0.5] * 40, draws=300)

    assert found == Interval(value=0.5, low=0.5, high=0.5, level=0.95)


def test_where_the_figure_has_no_value_there_is_no_interval():
    """All right; and one wrong of two, which half of the draws lack."""
    assert bootstrap_interval(auroc, [0.5, 0.6], [True, True]) is None
    assert bootstrap_interval(auroc, [0.5, 0.6], [True, False], draws=101, seed=3) is None


def test_without_numpy_the_install_line_is_told(monkeypatch):
    """The package itself needs none."""
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[learn\]'"):
        auroc([0.5], [True])
