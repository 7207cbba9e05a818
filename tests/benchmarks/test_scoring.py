"""Does the benchmark of the scores measure what it says? On made-up data, and on the recorded where they are."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.claims import MODELS, mean_policy, read_recordings, scored_claims, scorers_for
from benchmarks.figures import Scored
from benchmarks.held_out import HeldOut, compare
from benchmarks.scoring import main
from benchmarks.token_probabilities import read_exams
from hitl_prefect.errors import ConfigError
from hitl_prefect.evidence import was_right
from hitl_prefect.metrics import Interval, aurc, auroc
from tests.benchmarks.recorded_claims import write_recorded_claims, write_recorded_exams
from tests.servers.machine import require

ROOT = Path(__file__).parents[2]
PAGE = "Before.\n<!-- begin: benchmarks.scoring -->\nold\n<!-- end: benchmarks.scoring -->\nAfter.\n"
HAIKU, DEEPSEEK, GPT = MODELS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    write_recorded_claims(folder)
    write_recorded_exams(folder)
    return folder


@pytest.fixture(scope="module")
def page(data: Path) -> str:
    """The page that the whole benchmark wrote about the made-up data."""
    (data / "page.md").write_text(PAGE)
    options = ["--draws", "20", "--repeats", "1", "--write", str(data / "page.md")]
    command = [sys.executable, "-m", "benchmarks.scoring", "--data", str(data), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return (data / "page.md").read_text()


def _cells(page: str, name: str) -> list[str]:
    """The figures of the first row of that name, without their intervals."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip().partition(" ")[0] for cell in line.split("|")[2:-1]]


@pytest.mark.recorded_data
@pytest.mark.parametrize(
    ("model", "figures"), [(HAIKU, (0.781, 0.068)), (DEEPSEEK, (0.863, 0.066)), (GPT, (0.950, 0.142))]
)
def test_the_plain_mean_through_the_shipped_scorers_is_that_of_the_study(model, figures):
    """Stated confidence, the two other models and four other prompts, as worked out from the files without them."""
    known = os.environ.get("HITL_DATA")
    require(known, "the recorded data", "set HITL_DATA to the folder that docs/benchmarks.md describes")
    outcomes = scored_claims(read_recordings(Path(known)), model, "L1", mean_policy())
    columns = [one.score.confidence for one in outcomes], [was_right(one) for one in outcomes]

    assert len(outcomes) == 113
    assert (round(auroc(*columns), 3), round(aurc(*columns), 3)) == figures


def test_what_a_scorer_asks_is_answered_as_recorded(data):
    """Claim 4: the second and the third model are wrong, each in its own way, the first is right."""
    policy = mean_policy().model_copy(update={"scorers": scorers_for(HAIKU)})
    parts = scored_claims(read_recordings(data), HAIKU, "L1", policy)[4].score.parts
    asked = {part.name: part.confidence for part in parts if part.name.startswith("agreement")}

    assert asked == {
        "agreement": 1.0,
        "agreement:variants": 1.0,
        f"agreement:{DEEPSEEK}": 0.0,
        f"agreement:{GPT}": 0.0,
        f"agreement:{DEEPSEEK}:variants": 0.0,
        f"agreement:{GPT}:variants": 0.0,
    }


def test_an_answer_that_cannot_be_read_agrees_with_nothing(data):
    """Claim 3: the first model repeats its wrong code, and writes words around it on the fifth prompt."""
    outcome = scored_claims(read_recordings(data), HAIKU, "L1", mean_policy())[3]
    known = {part.name: part.confidence for part in outcome.score.parts}

    assert (known["stated"], known["agreement:others"], known["agreement:variants"]) == (0.4, 0.0, 0.75)
    assert outcome.score.confidence == pytest.approx((0.4 + 0.0 + 0.75) / 3)


def test_a_code_outside_the_codebook_is_wrong_and_not_invalid(data):
    """As the study kept it."""
    outcomes = scored_claims(read_recordings(data), GPT, "L1", mean_policy())

    assert {one.generation.status for one in outcomes} == {"ok"}
    assert [was_right(one) for one in outcomes] == [bool(number % 2) for number in range(60)]


def test_two_claims_with_one_prompt_are_refused(data, tmp_path):
    """Replies are found by the prompt."""
    write_recorded_claims(tmp_path)
    prompt = tmp_path / "hitl_deductive_coding" / "prompts" / "prompt_L1.txt"
    prompt.write_text("Code it.")

    with pytest.raises(ConfigError, match="two claims have the same prompt"):
        read_recordings(tmp_path)


def test_answers_that_were_not_graded_are_left_out(data):
    """So is the second prompt, and a probability does not exceed 1."""
    assert read_exams(data) == [
        Scored(name="`gpt`, mmlu", confidence=(1.0, 0.9, 0.5, 0.4), right=(True, True, False, True))
    ]


def test_the_page_says_what_was_measured(page):
    """Cases, share of right ones, AUROC: one wrong above one of three right; a model that knows when it is wrong."""
    assert _cells(page, "`gpt`, mmlu")[:3] == ["4", "0.750", "0.667"]
    assert _cells(page, f"`{HAIKU}`, stated")[:3] == ["60", "0.667", "1.000"]
    assert _cells(page, f"`{HAIKU}`, prompt L1")[1] == "1.000"


def test_the_page_keeps_its_words(page):
    """Only what stands between the markers is replaced."""
    assert page.startswith("Before.\n<!-- begin: benchmarks.scoring -->\n\nMeasured on ")
    assert page.endswith("<!-- end: benchmarks.scoring -->\nAfter.\n")
    assert "old\n" not in page


def test_a_set_that_is_not_there_is_skipped_and_told(tmp_path, capsys):
    """The other one is measured."""
    write_recorded_exams(tmp_path)

    assert main(["--data", str(tmp_path), "--draws", "5"]) == 0
    assert "`hitl_deductive_coding` is not in the folder, and was skipped." in capsys.readouterr().out


def test_without_any_data_there_is_nothing_to_measure(tmp_path, capsys):
    """Wrong usage."""
    assert main(["--data", str(tmp_path)]) == 2
    assert "neither of plaut_mcqa_msp, hitl_deductive_coding" in capsys.readouterr().err


def test_a_file_that_is_missing_is_told(tmp_path, capsys):
    """And not half a table written."""
    (tmp_path / "plaut_mcqa_msp").mkdir()

    assert main(["--data", str(tmp_path)]) == 1
    assert "msp.csv.gz" in capsys.readouterr().err


def held(mean, combined):
    """Ten claims, every second wrong, in two folds."""
    right = np.arange(10) % 2 == 1
    return HeldOut(right, np.array(mean), np.array([combined]), np.array([[0] * 4 + [1] * 6]))


def test_a_combination_that_ranks_like_the_mean_gains_nothing():
    """On any draw."""
    scores = [0.1, 0.3, 0.5, 0.2, 0.9, 0.4, 0.6, 0.7, 0.8, 1.0]
    (found,) = compare([[held(scores, scores)]], "AUROC", draws=50)

    assert found.mean == found.combined
    assert found.difference == Interval(value=0, low=0, high=0, level=0.95)


def test_claims_of_different_folds_are_not_compared():
    """Perfect within each fold, though the folds' confidences stand on different levels; the mean knows nothing."""
    combined = [0.1, 0.2, 0.1, 0.2, *[0.8, 0.9] * 3]
    (found,) = compare([[held([0.5] * 10, combined)]], "AUROC", draws=50)

    assert found.difference == Interval(value=0.5, low=0.5, high=0.5, level=0.95)
