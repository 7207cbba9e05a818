"""Does the benchmark count what happened? On made-up data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.banking import CATEGORY_OF, NO_CATEGORY, banking_exam
from benchmarks.deductive_coding import MODELS, coding_exam
from benchmarks.flows.code_claim import code_claim
from benchmarks.real_cases import main
from benchmarks.report import report, write_page
from benchmarks.running import Ran, parameters_of, stored
from benchmarks.site import Replay, Site
from benchmarks.tally import Tally, problems_of
from flows.resolve_case import resolve_one_case
from hitl_prefect.demo.story import CATEGORIES
from hitl_prefect.errors import ConfigError
from hitl_prefect.shares import Share
from tests.benchmarks.recorded import write_recorded_data
from tests.wire.loopback import LoopbackAI

ROOT = Path(__file__).parents[2]
FLOWS = {"code-claim/code-claim": code_claim, "resolve-case/resolve-case": resolve_one_case}
PAGE = "Before.\n<!-- begin: benchmarks.real_cases -->\nold\n<!-- end: benchmarks.real_cases -->\nAfter.\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The made-up data, and a page that has a place for the figures."""
    made = tmp_path_factory.mktemp("benchmark")
    write_recorded_data(made)
    (made / "page.md").write_text(PAGE)
    return made


@pytest.fixture(scope="module")
def page(folder, resident):
    """The page that is written about the made-up data, its flow runs run in here one after the other."""
    exams = [*(coding_exam(folder, model, 40) for model in MODELS), banking_exam(folder, 4)]
    with LoopbackAI(Replay(exams).reply) as ai, pytest.MonkeyPatch.context() as environment:
        for name, value in ai.env.items():
            environment.setenv(name, value)
        site = Site(ai, None, folder)
        tallies = [Tally.of(ran(resident, site, exam)) for exam in exams]
    write_page(folder / "page.md", report(tallies, store=site.kind_of_store, command="python -m benchmarks"))
    return (folder / "page.md").read_text()


def ran(resident, site, exam):
    """What an exam leaves behind."""
    store = site.new_store(exam.model.replace(":", "-"))
    for trial in exam.trials:
        run = resident.start(FLOWS[exam.deployment], **parameters_of(exam, trial, store))
        if resident.state(run) == "Suspended":
            resident.answer(run, **trial.typed)
            resident.go_on(run)
    calls = None if exam.replies is None else site.calls(exam.model)
    return Ran(exam=exam, outcomes=stored(store), calls=calls, seconds=1)


@pytest.mark.full
def test_the_whole_command_comes_to_the_same_figures(page, folder):
    """With servers of its own, and flow runs in processes of their own that run at the same time."""
    (folder / "whole.md").write_text(PAGE)
    command = [sys.executable, "-m", "benchmarks.real_cases", "--messages", "4", "--write", str(folder / "whole.md")]
    environment = os.environ | {"HITL_DATA": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr

    assert _figures((folder / "whole.md").read_text()) == _figures(page)


def _figures(page: str) -> list[str]:
    """The table, without how long it took."""
    return [line for line in page.splitlines() if line.startswith("|") and not line.startswith("| seconds ")]


def _row(page: str, name: str) -> list[str]:
    """The figures of one row, in the order of the models, without their intervals."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip().partition(",")[0] for cell in line.split("|")[2:-1]]


def test_each_case_is_asked_once_and_leaves_one_outcome(page):
    """Also those that waited for the reviewer and ran a second time."""
    assert _row(page, "cases") == ["3", "3", "4"]
    assert _row(page, "outcomes in the store") == ["3", "3", "4"]
    assert _row(page, "calls to the model") == ["3", "3", "in process"]


def test_the_models_replies_are_judged_as_recorded(page):
    """A label that is not in the codebook is invalid and goes to the reviewer, however sure; a code fence is read."""
    assert _row(page, "right: model alone")[:2] == ["1 of 3", "2 of 3"]
    assert _row(page, "invalid replies") == ["1", "0", "0"]
    assert _row(page, "reviewed by the person")[:2] == ["2 of 3", "1 of 3"]
    assert _row(page, "accepted unseen, and wrong")[:2] == ["0 of 1", "1 of 2"]


def test_the_reviewer_is_as_fallible_as_recorded(page):
    """The annotator's own mistakes ship; with the right labels, only what nobody saw can be wrong."""
    assert _row(page, "right: reviewer alone") == ["2 of 3", "2 of 3", "is the label itself"]
    assert _row(page, "right: model, and reviewer where unsure")[:2] == ["2 of 3", "1 of 3"]


def test_a_message_that_fits_no_category_is_rejected(page):
    """It ships nothing, which is right."""
    assert _row(page, "no label fits, and accepted") == ["-", "-", "0 of 1"]


def test_the_page_keeps_its_words(page):
    """Only what stands between the markers is replaced."""
    assert page.startswith("Before.\n<!-- begin: benchmarks.real_cases -->\n\nMeasured on ")
    assert page.endswith("<!-- end: benchmarks.real_cases -->\nAfter.\n")
    assert "\nold\n" not in page


def test_a_page_without_markers_is_left_alone(tmp_path):
    """Nothing is guessed about where the figures go."""
    (tmp_path / "page.md").write_text("Words.\n")

    with pytest.raises(ConfigError, match="has no place for the figures"):
        write_page(tmp_path / "page.md", "figures")


def test_missing_data_is_wrong_usage(tmp_path, capsys):
    """Nothing is started, and the message names the file."""
    assert main(["--data", str(tmp_path)]) == 2
    assert "02_dataset_gold_CI.json" in capsys.readouterr().err


def test_a_lost_outcome_and_a_second_call_are_told():
    """The command fails on either."""
    none = Share(hits=0, of=3)
    shares = dict.fromkeys(("machine", "reviewer", "together", "reviewed", "accepted_wrong", "misfits_accepted"), none)
    tally = Tally(model="m", cases=4, outcomes=3, invalid=0, calls=5, seconds=1, **shares)

    assert problems_of(tally) == [
        "m: 4 cases left 3 outcomes in the store",
        "m: 4 cases made 5 calls to the model",
    ]


@pytest.mark.parametrize(
    ("share", "interval"),
    [
        (Share(hits=0, of=0), (0.0, 1.0)),
        (Share(hits=0, of=10), (0.0, 0.2775)),
        (Share(hits=10, of=10), (0.7225, 1.0)),
        (Share(hits=37, of=40), (0.8014, 0.9742)),
    ],
    ids=str,
)
def test_the_interval_is_wilsons(share, interval):
    """As tables and other programs give it."""
    assert share.interval() == pytest.approx(interval, abs=5e-5)


def test_an_intent_means_one_category_of_the_model_or_none():
    """No intent is in both lists."""
    assert set(CATEGORY_OF.values()) <= set(CATEGORIES)
    assert not CATEGORY_OF.keys() & set(NO_CATEGORY)
