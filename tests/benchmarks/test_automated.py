"""Does the benchmark of automating measure what it says? On made-up claims, and on the recorded where they are."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.automated import main, read_people, score_claims
from benchmarks.automated_figures import People, accepted_of, automate
from benchmarks.claims import MODELS, read_recordings
from benchmarks.figures import Scored
from hitl_prefect.errors import ConfigError
from hitl_prefect.metrics import Interval
from tests.benchmarks.recorded_claims import write_recorded_claims
from tests.servers.machine import require

PAGE = "Before.\n<!-- begin: benchmarks.automated -->\nold\n<!-- end: benchmarks.automated -->\nAfter.\n"
HAIKU, _, GPT = MODELS
TEN = tuple(one / 10 for one in range(10, 0, -1))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    write_recorded_claims(folder)
    return folder


@pytest.fixture(scope="module")
def recorded():
    """The scores by name, and the annotators."""
    known = os.environ.get("HITL_DATA")
    require(known, "the recorded data", "set HITL_DATA to the folder that docs/benchmarks.md describes")
    recordings = read_recordings(Path(known))
    return {score.name: score for score in score_claims(recordings)}, read_people(Path(known), recordings)


@pytest.mark.recorded_data
@pytest.mark.parametrize(
    ("name", "figures"),
    [
        (f"`{HAIKU}`, stated", (0.912, 0.903)),
        (f"`{HAIKU}`, mean of stated, others", (0.941, 0.907)),
        (f"`{GPT}`, stated", (0.779, 0.814)),
        (f"`{GPT}`, mean of stated, others", (0.941, 0.907)),
    ],
)
def test_the_figures_are_those_worked_out_from_the_files_without_the_plugin(recorded, name, figures):
    """Of 60%: right where accepted, and of the whole. They took a tie in the order of the file, so here it does too."""
    scores, people = recorded
    ordered = tuple(sure - place * 1e-9 for place, sure in enumerate(scores[name].confidence))
    found = automate(scores[name].model_copy(update={"confidence": ordered}), people, 0.6, draws=2)

    assert (found.accepted.value, found.whole[-1]) == pytest.approx(figures, abs=0.0005)


@pytest.mark.recorded_data
def test_the_annotators_alone_are_right_on_103_and_106_of_113_claims(recorded):
    assert recorded[1].right.sum(axis=1).tolist() == [103, 106]


def test_what_is_accepted_is_the_models_and_the_rest_the_persons():
    """The model is wrong about the second and the last claim, the person about the first and the last but one."""
    model = Scored(name="m", confidence=TEN, right=tuple(number not in {1, 9} for number in range(10)))
    people = People(np.array([[number not in {0, 8} for number in range(10)]]))
    found = automate(model, people, 0.4, draws=200)

    assert (found.accepted.value, found.people_there, found.whole) == (0.75, 0.75, (0.8, 0.8))
    assert found.gain[0].value == 0
    assert found.gain[0].low < 0 < found.gain[0].high
    assert found.reached == (0.4, 0.4)


def test_a_model_that_is_right_where_people_are_gains_nothing():
    """On any draw: the difference is that of the same claims."""
    right = (True, False) * 5
    found = automate(Scored(name="m", confidence=TEN, right=right), People(np.array([right])), 0.6, draws=50)

    assert found.gain == (Interval(value=0, low=0, high=0, level=0.95),) * 2


def test_no_figure_depends_on_the_order_of_a_tie():
    """Four claims of one confidence, of which one fits in: each is accepted by a quarter, and no bar does that."""
    assert accepted_of(np.array([0.5, 0.5, 0.9, 0.5, 0.5]), 0.4).tolist() == [0.25, 0.25, 1.0, 0.25, 0.25]
    tied = Scored(name="m", confidence=(0.5, 0.5, 0.9, 0.5, 0.5), right=(True, False, True, False, False))
    people = People(np.ones((1, 5), dtype=bool))

    assert automate(tied, people, 0.4, draws=2).reached == (0.2, 1.0)
    assert automate(tied, people, 0.4, draws=2).accepted.value == pytest.approx(0.625)


def test_a_share_that_leaves_nobody_anything_to_do_is_refused():
    alone = Scored(name="m", confidence=(0.5,), right=(True,))

    with pytest.raises(ConfigError, match="nothing to accept or to review"):
        automate(alone, People(np.array([[True]])), 0.4, draws=2)


def test_the_whole_benchmark_writes_the_page_and_the_picture(data, capsys):
    """The first model is unsure where it is wrong: the surest 60% are all right, as those of people are not."""
    page, picture = data / "page.md", data / "picture.svg"
    page.write_text(PAGE)
    options = ["--draws", "20", "--write", str(page), "--picture", str(picture)]

    assert main(["--data", str(data), *options]) == 0
    assert page.read_text().startswith("Before.\n<!-- begin: benchmarks.automated -->\n\nMeasured on ")
    assert page.read_text().endswith("<!-- end: benchmarks.automated -->\nAfter.\n")
    assert "| people alone | 0% | 0% | - | - | 0.900 | 1.000 | 0.950 |" in page.read_text()
    assert f"| `{HAIKU}`, stated | 60% | 0% or 67% | 1.000 (0.972 to 1.000) | 0.950 | 0.960 |" in page.read_text()
    assert "people alone" in picture.read_text()


def test_a_claim_that_an_annotator_left_out_is_told(tmp_path, capsys):
    write_recorded_claims(tmp_path)
    sheet = tmp_path / "hitl_deductive_coding" / "human_annotator_2.csv"
    sheet.write_text(sheet.read_text().replace("7,C7,CLAIM 7,RIGHT,\n", ""))

    assert main(["--data", str(tmp_path)]) == 1
    assert "annotator 2 left 1 claims out, first 'C7'" in capsys.readouterr().err


def test_without_data_it_says_so(tmp_path, capsys):
    assert main(["--data", str(tmp_path)]) == 1
    assert "02_dataset_gold_CI.json" in capsys.readouterr().err
