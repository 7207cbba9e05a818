"""Do the benchmarks of many cases and reviews count what happened? Made figures, and the model on loopback."""

import json

import httpx
import pytest

from benchmarks.fast_model import UNSURE, fast_model
from benchmarks.goals import Measured
from benchmarks.sides import write_cases


@pytest.mark.parametrize(
    ("measured", "row"),
    [
        (
            Measured(what="drain, per s", plugin=9.75, plain=0.65, goal="15 x plain", met=True),
            "| drain, per s | 0.65 | 9.75 | 15.0 | 15 x plain | yes |",
        ),
        (Measured(what="peak MB", plugin=120), "| peak MB |  | 120.00 |  |  |  |"),
        (
            Measured(what="open, s", plugin=12, plain=6, goal="10 s", met=False),
            "| open, s | 6.00 | 12.00 | 2.0 | 10 s | NO |",
        ),
    ],
)
def test_a_row_says_what_was_measured_and_whether_it_is_good_enough(measured, row):
    assert measured.row() == row


def test_cases_in_which_the_model_doubts_are_spread_evenly(tmp_path):
    source = write_cases(tmp_path / "cases.jsonl", 10, first=100, unsure=0.4)
    cases = [json.loads(line) for line in source.read_text("utf-8").splitlines()]

    assert [case["id"] for case in cases] == [f"case-{number}" for number in range(100, 110)]
    assert [number for number, case in enumerate(cases) if UNSURE in case["prompt"]] == [2, 4, 7, 9]


def test_the_model_counts_its_answers_and_doubts_where_it_is_told_to():
    with fast_model(0.01) as url, httpx.Client(base_url=url, trust_env=False) as model:
        said = [model.post("/v1/chat/completions", json={"prompt": prompt}) for prompt in ("sure", UNSURE)]
        stated = [json.loads(one.json()["choices"][0]["message"]["content"])["confidence"] for one in said]

        assert stated == [0.75, 0.15]
        assert model.get("/calls").json() == 2
