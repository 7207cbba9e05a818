"""Does the bar keep its promise? Against other people's arithmetic, and by simulation where the truth is known."""

import random
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from hitl_prefect.binomial import chance_of_at_most, exact_interval, fewest_without_error
from hitl_prefect.calibration import GRID, Bar, Label, find_bar, labels_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import evidence_of
from hitl_prefect.labels import Count, counts_from
from tests.unit.making import a_generation, a_review, a_route, an_outcome

REVIEWED = {"decision": "approve", "decided_by": "human", "review": a_review(), "route": a_route(propensity=1)}


def label(confidence, right, number=0, *, propensity=1.0, era="v1"):
    return Label(confidence, right, propensity, era, f"case-{number}")


def drawn(risk, cases, *, seed, bar=None, audit_rate=0.05, era="v1"):
    """Cases whose confidence is uniform; below the bar all are looked at, above it as many as are audited."""
    lot = random.Random(seed)
    for number in range(cases):
        confidence, right_below = lot.random(), lot.random()
        propensity = audit_rate if bar is not None and confidence >= bar else 1.0
        right = right_below >= risk(confidence) if lot.random() < propensity else None
        yield Label(confidence, right, propensity, era, f"{seed}-{era}-{number}")


def risk_above(risk, bar):
    """The error rate of uniform confidences at or above a bar."""
    places = [bar + (1 - bar) * (step + 0.5) / 500 for step in range(500)]
    return sum(map(risk, places)) / len(places)


def as_strict(labels, threshold):
    """The strictest of the thresholds that accept the same labels."""
    least = min(one.confidence for one in labels if one.confidence >= threshold)
    return max(one for one in GRID if one <= least)


@given(st.integers(0, 3000), st.integers(0, 60_000), st.floats(0.001, 0.5))
def test_the_binomial_is_that_of_scipy(errors, of, rate):
    assert chance_of_at_most(errors, of, rate) == pytest.approx(binom.cdf(errors, of, rate), rel=1e-8, abs=1e-12)


@given(st.integers(0, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_exact_interval_is_that_of_scipy(counts):
    errors, of = counts
    theirs = binomtest(errors, max(of, 1)).proportion_ci(method="exact") if of else (0.0, 1.0)

    assert exact_interval(errors, of) == pytest.approx(tuple(theirs), abs=1e-9)


@given(st.floats(0.001, 0.5), st.floats(0.0001, 0.5))
def test_one_label_less_than_the_fewest_refutes_nothing(limit, delta):
    fewest = fewest_without_error(limit, delta)

    assert chance_of_at_most(0, fewest, limit) <= delta * (1 + 1e-9)
    assert fewest == 1 or chance_of_at_most(0, fewest - 1, limit) > delta


@pytest.mark.filterwarnings("ignore:Fixed sequence testing requires a monotonic risk")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_bar_is_that_of_mapie(seed):
    """The same labels, the same grid from the same start on."""
    risk_control = pytest.importorskip("mapie.risk_control", reason="pip install 'mapie>=1.5'")
    fwer_control = pytest.importorskip("mapie.risk_control.fwer_control")
    labels = list(drawn(lambda confidence: 0.4 * (1 - confidence), 400, seed=seed))
    found = find_bar(labels, max_error=0.1, confidence_level=0.9, look=None)
    controller = risk_control.BinaryClassificationController(
        predict_function=lambda column: np.column_stack([1 - column[:, 0], column[:, 0]]),
        risk="precision",
        target_level=0.9,
        confidence_level=0.9,
        best_predict_param_choice="recall",
        list_predict_params=np.array([threshold for threshold in reversed(GRID) if threshold <= found.starts[0]]),
        fwer_method=fwer_control.FWERFixedSequenceTesting(n_starts=1),
    )
    controller.calibrate(np.array([[one.confidence] for one in labels]), np.array([int(one.right) for one in labels]))

    assert len(found.starts) == 1
    assert found.bar == as_strict(labels, min(controller.valid_predict_params))


@pytest.mark.parametrize("seed", range(20))
def test_a_chain_ends_where_that_of_mapie_ends(seed):
    """On exact p-values: its own are of one error more where 6 errors come out as 6.000000000000005."""
    fwer_control = pytest.importorskip("mapie.risk_control.fwer_control", reason="pip install 'mapie>=1.5'")
    labels = list(drawn(lambda confidence: 0.4 * (1 - confidence), 400, seed=seed))
    found = find_bar(labels, max_error=0.1, confidence_level=0.9, look=None)
    counts = [one for one in counts_from(labels, GRID) if one.threshold <= found.starts[0]]
    chances = np.array([binom.cdf(one.errors, one.labels, 0.1) for one in counts])
    refuted = fwer_control.control_fwer(chances, 0.1, fwer_control.FWERFixedSequenceTesting(n_starts=1))

    assert found.bar == (as_strict(labels, counts[max(refuted)].threshold) if len(refuted) else None)


def test_a_bar_tells_what_speaks_for_it():
    """Sixty right ones at 0.9; of forty at 0.5 half are wrong."""
    labels = [label(0.9, True, number) for number in range(60)]
    labels += [label(0.5, number % 2 == 0, 100 + number) for number in range(40)]

    assert find_bar(labels, max_error=0.05, look=None) == Bar(
        bar=0.9, labels=60, errors=0, coverage=0.6, needed=0, starts=(0.9,)
    )


def test_without_a_bar_it_is_told_how_many_labels_are_needed_at_least():
    """At 5% and 90% it takes 45 without an error; an error at the top takes as many beyond it."""
    right = [label(0.9, True, number) for number in range(30)]

    assert find_bar(right, max_error=0.05, look=None) == Bar(None, 30, 0, coverage=0.0, needed=15, starts=())
    assert find_bar([], max_error=0.05, look=None) == Bar(None, 0, 0, coverage=0.0, needed=45, starts=())
    assert find_bar([*right, label(0.95, False)], max_error=0.05, look=None).needed == 45


def test_adding_what_is_needed_gives_a_bar():
    """Right ones, surer than all before."""
    labels = [label(0.9, number % 5 > 0, number) for number in range(40)]
    needed = find_bar(labels, max_error=0.1, look=None).needed
    further = [label(1.0, True, 1000 + number) for number in range(needed)]

    assert find_bar([*labels, *further], max_error=0.1, look=None).bar == 1.0
    assert find_bar([*labels, *further[1:]], max_error=0.1, look=None).bar is None


def test_what_is_needed_is_told_at_once_where_the_surest_cases_of_all_are_often_wrong():
    """Of a model that says 1.0 of everything, and is wrong in three of ten, it takes more labels than anybody has."""
    labels = [label(1.0, number % 10 > 2, number) for number in range(3000)]
    begun = time.perf_counter()
    found = find_bar(labels, max_error=0.05)
    took_s = time.perf_counter() - begun
    right = [label(1.0, True)] * found.needed

    assert (found.bar, found.labels, found.errors) == (None, 3000, 900)
    assert took_s < 3
    assert find_bar([*labels, *right], max_error=0.05).bar == 1.0
    assert find_bar([*labels, *right[1:]], max_error=0.05).bar is None


def test_later_looks_ask_for_more():
    """The first has 61% of delta, the tenth 0.6%: together they never have more than all of it."""
    labels = [label(0.9, True, number) for number in range(50)]
    needed = [find_bar(labels, max_error=0.05, look=look).needed for look in (None, 1, 2, 10)]

    assert needed == [0, 5, 32, 95]


@pytest.mark.parametrize(
    "wrong", [{"max_error": 0}, {"max_error": 1.0}, {"max_error": 0.1, "confidence_level": 1}, {"look": 0}]
)
def test_a_number_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError):
        find_bar([], **{"max_error": 0.1, **wrong})


def test_thinned_labels_are_kept_as_often_as_the_rarest_above_the_threshold():
    """2,000 labels below the old bar of 0.8, 100 audits above it that stand for 2,000 cases."""
    labels = [label(0.5, False, number) for number in range(2000)]
    labels += [label(0.9, True, 5000 + number, propensity=0.05) for number in range(100)]
    strict, lenient = counts_from(labels, (0.0, 0.8))

    assert strict == Count(0.8, labels=100, errors=0)
    assert 150 < lenient.labels < 250
    assert lenient.errors == lenient.labels - 100


def test_an_era_that_never_looks_above_its_bar_says_nothing_of_it():
    """Its labels below the bar are no sample of what lies above a threshold there; those of another era are."""
    blind = [label(0.6, True, number) for number in range(50)] + [label(0.9, None, 99, propensity=0.0)]
    other = [label(0.6, True, number, era="v2") for number in range(7)]

    assert counts_from([*blind, *other], (0.0, 0.5)) == [Count(0.5, 7, 0), Count(0.0, 7, 0)]


def overconfident(confidence):
    """Wrong more often where it is very sure: 25% above 0.9, 5% below."""
    return 0.25 if confidence > 0.9 else 0.05


def test_the_promise_holds_with_audits_and_only_with_thinning():
    """Above the old bar of 0.9 one case in twenty is labelled, below it each one: unthinned, the bad ones drown."""
    thinned = unthinned = 0
    for seed in range(80):
        cases = list(drawn(overconfident, 1500, seed=seed, bar=0.9))
        alike = [Label(one.confidence, one.right, 1.0, one.era, one.case_id) for one in cases if one.right is not None]
        bars = [find_bar(labels, max_error=0.07, look=None).bar for labels in (cases, alike)]
        broken = [bar is not None and risk_above(overconfident, bar) > 0.07 for bar in bars]
        thinned, unthinned = thinned + broken[0], unthinned + broken[1]

    assert thinned <= 0.1 * 80
    assert unthinned > 0.5 * 80


@pytest.mark.parametrize(
    "risk",
    [partial(lambda rate, _: rate, 0.101), lambda confidence: 0.12 if confidence > 0.8 else 0.05],
    ids=["just too high everywhere", "too high at the top"],
)
def test_the_promise_holds_over_all_looks_together(risk):
    """100 labels, then 200, 400 and 800: at each look the same labels and as many new ones. Broken once is broken."""
    broken = 0
    for seed in range(60):
        cases = list(drawn(risk, 800, seed=seed))
        looks = [find_bar(cases[: 100 * 2**look], max_error=0.1, look=look + 1).bar for look in range(4)]
        broken += any(bar is not None and bar < 1 and risk_above(risk, bar) > 0.1 for bar in looks)

    assert broken <= 0.1 * 60


def life_of(risk, seed):
    """The bars of four looks: 100 cases that people see all of, then 600 at a time, accepted at the last bar found."""
    labels, bar = [], None
    for look in range(1, 5):
        labels += drawn(risk, 100 if look == 1 else 600, seed=seed, bar=bar, era=f"v{look}")
        bar = find_bar(labels, max_error=0.1, look=look).bar or bar
        yield bar


@pytest.mark.parametrize(
    "risk",
    [lambda confidence: 0.5 * (1 - confidence), lambda confidence: 0.2 if confidence > 0.9 else 0.08],
    ids=["surer is better", "wrong most often at the top"],
)
def test_the_promise_holds_where_bars_decide_what_is_labelled_next(risk):
    """Cold start, a bar, audits above it, another look at all eras together."""
    lives = [[bar for bar in life_of(risk, seed) if bar is not None] for seed in range(40)]
    broken = [any(risk_above(risk, bar) > 0.1 for bar in bars if bar < 1) for bars in lives]

    assert sum(broken) <= 0.1 * 40


def test_evidence_that_no_bar_is_about_is_left_out():
    """A rule that fired and an invalid draft; what was accepted unseen is kept, for its propensity."""
    outcomes = [
        an_outcome(**REVIEWED),
        an_outcome(route=a_route(propensity=0.05)),
        an_outcome(**{**REVIEWED, "route": a_route(propensity=1, action="review", reason="rule")}),
        an_outcome(
            **{
                **REVIEWED,
                "generation": a_generation(answer=None, status="invalid"),
                "decision": "edit",
                "route": a_route(propensity=1, action="review", reason="invalid"),
            }
        ),
    ]

    assert labels_of(map(evidence_of, outcomes)) == [
        Label(0.8, True, 1.0, "abc", "c1"),
        Label(0.8, None, 0.05, "abc", "c1"),
    ]


def in_versions_of(size):
    """4,000 cases, wrong most often when surest, of which every few have a policy version of their own."""
    lot = random.Random(size)
    like = evidence_of(an_outcome(**REVIEWED))
    for number in range(4000):
        sure, wrong = lot.random(), lot.random()
        is_sure, right = sure >= 0.8, wrong >= (0.3 if sure >= 0.8 else 0.02)
        yield replace(
            like,
            case_id=f"c{number}",
            confidence=sure,
            reason="above_bar" if is_sure else "below_bar",
            right=None if is_sure and lot.random() >= 0.05 else right,
            propensity=0.05 if is_sure else 1.0,
            bar=0.8,
            policy_version=f"v{number // size}",
        )


@pytest.mark.parametrize("size", [2000, 20, 2])
def test_labels_are_thinned_however_short_a_policy_version_lasts(size):
    """A version of two cases mostly holds none above its bar; 13% are wrong above 0.5, and 3% of labels in full."""
    (found,) = counts_from(labels_of(in_versions_of(size)), (0.5,))

    assert found.errors / found.labels == pytest.approx(0.132, abs=0.07)
    assert found.labels < 160


def test_where_every_case_is_reviewed_by_rule_all_count():
    """`Policy(review="always")`."""
    outcome = an_outcome(**{**REVIEWED, "route": a_route(propensity=1, action="review", reason="rule")})

    assert labels_of([evidence_of(outcome)]) == [Label(0.8, True, 1.0, "abc", "c1")]
