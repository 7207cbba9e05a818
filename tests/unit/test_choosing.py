"""Which cases to label next: alone, unlike each other, before there is a classifier, and as a round."""

import sys

import numpy as np
import pytest

from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.learning import select_for_labels, select_spread, train_classifier
from hitl_prefect.learning.rounds import Chosen, plan_round, seed_of
from tests.unit.labels import labels_of, text_about

ROWS = [[0.98, 0.01, 0.01], [0.5, 0.49, 0.01], [0.34, 0.33, 0.33], [0.4, 0.2, 0.4]]


@pytest.mark.parametrize(
    ("strategy", "best"), [("margin", [3, 1, 2]), ("least_confident", [2, 3, 1]), ("entropy", [2, 3, 1])]
)
def test_each_strategy_has_its_own_order(strategy, best):
    assert select_for_labels(ROWS, 3, strategy=strategy) == best


def test_among_equals_the_earlier_case_comes_first():
    assert select_for_labels([[0.5, 0.5]] * 5, 3) == [0, 1, 2]


def test_a_random_choice_follows_from_its_seed():
    one, again, other = (select_for_labels([[0.5, 0.5]] * 50, 5, strategy="random", seed=s) for s in (1, 1, 2))

    assert (one == again, one == other, len(set(one))) == (True, False, 5)


def test_with_features_no_two_of_a_kind_are_chosen_while_there_are_others():
    """Three kinds, of which the first has the least margins."""
    features = np.repeat(np.eye(3), 4, axis=0)
    rows = [[0.5 + 0.01 * place, 0.5 - 0.01 * place] for place in range(12)]

    assert select_for_labels(rows, 3) == [0, 1, 2]
    assert select_for_labels(rows, 3, features=features) == [0, 4, 8]


@pytest.mark.parametrize("k", [0, 2, 9])
def test_no_more_are_chosen_than_there_are(k):
    assert len(select_for_labels(ROWS, k, features=np.eye(4))) == min(k, 4)
    assert select_for_labels([], k) == []


@pytest.mark.parametrize(
    ("rows", "k", "said"),
    [
        ([[0.5], [0.5]], 1, "at least two labels"),
        ([[0.5, 1.5]], 1, "at least two labels"),
        ([[float("nan"), 0.5]], 1, "at least two labels"),
        ([[0.5, 0.5], [1.0]], 1, "differ in length"),
        (ROWS, -1, "choose no cases or more"),
    ],
)
def test_what_is_no_probabilities_is_refused(rows, k, said):
    with pytest.raises(ConfigError, match=said):
        select_for_labels(rows, k)


def test_a_strategy_that_there_is_not_is_refused_with_those_that_there_are():
    """A typing error does not choose by another strategy."""
    with pytest.raises(ConfigError, match="no strategy 'margins'; there is margin, least_confident, entropy, random"):
        select_for_labels(ROWS, 1, strategy="margins")


@pytest.mark.parametrize("how", ["coreset", "typiclust", "probcover"])
def test_a_pool_is_covered_without_a_classifier(how):
    """One of each of three heaps, of which one has a label already."""
    rng = np.random.default_rng(0)
    features = np.repeat(np.eye(3) * 10, 6, axis=0) + rng.normal(0, 0.01, (18, 3))
    found = select_spread(features, 2, labelled=[0], how=how)

    assert 0 not in found
    assert len(set(found)) == 2
    assert select_spread(features, 99, labelled=range(18), how=how) == []


def test_without_scikit_activeml_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "skactiveml", None)

    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[learn\]'"):
        select_spread(np.eye(3), 1)


def test_without_scikit_learn_only_choosing_unlike_cases_needs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)

    assert select_for_labels(ROWS, 2) == [3, 1]
    with pytest.raises(MissingExtra, match=r"unlike cases needs scikit-learn: pip install 'hitl_prefect\[learn\]'"):
        select_for_labels(ROWS, 2, features=np.eye(4))


def test_without_numpy_choosing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(MissingExtra, match=r"needs NumPy: pip install 'hitl_prefect\[learn\]'"):
        select_for_labels(ROWS, 1)


def test_without_a_classifier_a_round_is_a_fair_sample():
    """Every case has the same propensity, and is trained on."""
    found = plan_round(["one", "two", "three", "four"], 2, classifier=None)

    assert {(one.reason, one.propensity) for one in found} == {("cold_start", 0.5)}


def test_a_round_is_a_random_share_of_the_pool_and_the_most_valuable_of_the_rest():
    """No case twice, and the same again for the same seed."""
    classifier = train_classifier(labels_of(60), task="support")
    texts = [text_about("refund", number) for number in range(200, 219)] + ["parcel money password"]
    seed = seed_of("support", 60)
    found = plan_round(texts, 5, classifier=classifier, random_share=0.4, seed=seed)

    assert [one.reason for one in found] == ["audit"] * 2 + ["rule"] * 3
    assert {one.propensity for one in found[:2]} == {2 / 20}
    assert len({one.place for one in found}) == 5
    assert 19 in {one.place for one in found}
    assert plan_round(texts, 5, classifier=classifier, random_share=0.4, seed=seed) == found
    assert isinstance(found[0], Chosen)


def test_a_share_above_one_is_refused():
    with pytest.raises(ConfigError, match="no share"):
        plan_round(["one"], 1, classifier=None, random_share=1.5)
