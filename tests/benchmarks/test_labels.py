"""Does the benchmark of the labels measure what it says? On made-up messages, without the recorded data."""

import csv

import pytest

from benchmarks.label_figures import Curve, labels_table, labels_to_reach
from benchmarks.labels import main
from hitl_prefect.errors import ConfigError
from tests.unit.labels import a_label

PAGE = "Before.\n<!-- begin: benchmarks.labels -->\nold\n<!-- end: benchmarks.labels -->\nAfter.\n"


def test_the_whole_benchmark_writes_the_page_and_the_picture(tmp_path):
    (tmp_path / "banking77").mkdir()
    for name, numbers in (("train", range(600)), ("test", range(600, 700))):
        with (tmp_path / "banking77" / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "category"])
            rows.writerows([one.text, one.label] for one in map(a_label, numbers))
    page, picture = tmp_path / "page.md", tmp_path / "curves.png"
    page.write_text(PAGE)
    options = ["--seeds", "2", "--labels", "300", "--strategies", "margin", "margin_unlike"]
    code = main(["--data", str(tmp_path), *options, "--write", str(page), "--picture", str(picture)])

    assert code == 0
    assert [line.split("|")[1].strip() for line in page.read_text().splitlines() if line.startswith("| `")] == [
        "`random`",
        "`margin`",
        "`margin_unlike`",
    ]
    assert "old\n" not in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_the_data_there_is_nothing_to_measure(tmp_path, capsys):
    assert main(["--data", str(tmp_path)]) == 2
    assert "no banking77" in capsys.readouterr().err


def curve(strategy, *accuracies, seed=0):
    points = tuple((100 * (place + 1), one) for place, one in enumerate(accuracies))
    return Curve(strategy=strategy, seed=seed, points=points)


def test_what_is_saved_is_told_against_the_random_curve_of_the_same_beginning():
    """Half way between 100 and 200 labels, where random needs 300."""
    table = labels_table(
        [curve("random", 0.2, 0.4, 0.6), curve("margin", 0.4, 0.8, 0.9), curve("worse", 0.1, 0.2, 0.3)]
    )

    assert "| 150 (150 to 150) | 50% (50% to 50%) |" in table
    assert "| more than 300 in 1 of 1 | none |" in table
    assert labels_to_reach(curve("margin", 0.7), 0.5) == 100


def test_without_a_random_curve_nothing_can_be_told():
    with pytest.raises(ConfigError, match="measure random too"):
        labels_table([curve("margin", 0.5)])
