"""Does the benchmark of risk budgets measure what it says? On made-up data, and on the recorded where they are."""

import os
from pathlib import Path

import pytest

from benchmarks.budgets import kept_budgets
from benchmarks.drifts import met_drifts
from benchmarks.error_rates import held_rates
from benchmarks.figures import Scored
from benchmarks.risk_budget import main
from benchmarks.token_probabilities import read_exams
from tests.benchmarks.recorded_claims import write_recorded_exams
from tests.servers.machine import require

PAGE = "Before.\n<!-- begin: benchmarks.risk_budget -->\nold\n<!-- end: benchmarks.risk_budget -->\nAfter.\n"
SURE = Scored(name="`m`, arc", confidence=(0.9,) * 99 + (0.5,), right=(True,) * 99 + (False,))
UNSURE = Scored(name="`m`, mmlu", confidence=(0.9,) * 50 + (0.2,) * 50, right=(True, False) * 50)


@pytest.fixture(scope="module")
def recorded():
    known = os.environ.get("HITL_DATA")
    require(known, "the recorded data", "set HITL_DATA to the folder that docs/benchmarks.md describes")
    return {exam.name: exam for exam in read_exams(Path(known))}


@pytest.mark.recorded_data
def test_a_thousand_labels_accept_seven_in_ten_answers_of_gpt_4_turbo(recorded):
    """And keep the promise of 10% errors."""
    (kept,) = kept_budgets([recorded["`gpt-4-turbo`, mmlu"]], draws=60, sizes=(1000,), budgets=(0.1,))

    assert kept.coverage >= 0.7
    assert max(kept.broken, kept.broken_in_splits) <= 0.12


@pytest.mark.recorded_data
def test_an_exam_that_is_harder_than_the_one_the_bar_comes_from_is_noticed(recorded):
    """And the same exam is not taken for another one."""
    harder, same = met_drifts([recorded["`gpt-4-turbo`, arc"], recorded["`gpt-4-turbo`, mmlu"]], runs=5)

    assert (harder.exams, same.exams) == ("arc, mmlu", "arc, arc")
    assert None not in harder.by_scores
    assert None not in harder.by_error
    assert same.by_scores == (None,) * same.bars


def test_an_exam_that_is_all_but_right_is_accepted():
    """One of 100 is wrong: the promise of 10% is kept by accepting all."""
    (kept,) = kept_budgets([SURE], draws=10, sizes=(300,), budgets=(0.1,))

    assert (kept.coverage, kept.broken, kept.broken_in_splits) == (1.0, 0.0, 0.0)
    assert kept.row() == ["`m`, arc", "10%", "300", "1.000", "0.0%", "0.0%", "1.000", "0.0%"]


def test_an_exam_that_is_half_wrong_is_not():
    (kept,) = kept_budgets([UNSURE], draws=10, sizes=(300,), budgets=(0.1,))

    assert (kept.coverage, kept.broken) == (0.0, 0.0)


def test_what_goes_through_before_an_alarm_is_counted():
    """From an exam that is right to one that is half wrong; both monitors notice, the one that needs labels later."""
    harder, _ = met_drifts([SURE, UNSURE], runs=3)

    assert harder.bars == 3
    assert all(scores < audits for scores, audits in zip(harder.by_scores, harder.by_error, strict=True))
    assert all(0 < first < late for first, late in zip(harder.let_through, harder.let_through_by_audits, strict=True))


def test_weights_tell_the_truth_and_none_do_not():
    """One in ten of the sure is wrong, and all of the unsure, of whom each is seen."""
    exam = Scored(name="x", confidence=(0.99,) * 50 + (0.2,) * 50, right=(True,) * 45 + (False,) * 55)
    weighted, plain, accepted = held_rates([exam], simulations=20)

    assert (weighted.truth, plain.truth, accepted.truth) == pytest.approx((0.55, 0.55, 0.1))
    assert weighted.share > 0.75
    assert plain.share < 0.25


def test_the_page_keeps_its_words(tmp_path, capsys):
    """Only what stands between the markers is replaced."""
    write_recorded_exams(tmp_path)
    (tmp_path / "page.md").write_text(PAGE)
    options = ["--data", str(tmp_path), "--draws", "3", "--runs", "1", "--write", str(tmp_path / "page.md")]

    assert main(options) == 0
    page = (tmp_path / "page.md").read_text()
    assert page.startswith("Before.\n<!-- begin: benchmarks.risk_budget -->\n\nMeasured on ")
    assert page.endswith("<!-- end: benchmarks.risk_budget -->\nAfter.\n")
    assert "| `gpt`, mmlu | 10% | 1000 |" in page


def test_without_data_it_says_so(tmp_path, capsys):
    assert main(["--data", str(tmp_path)]) == 1
    assert "msp.csv.gz" in capsys.readouterr().err
