"""How useful the chosen examples are, on recorded messages."""

import csv
import os
import random
from pathlib import Path

import pytest

from hitl_prefect.example_sets import Reviewed
from hitl_prefect.examples import ExamplePool
from tests.servers.machine import require


@pytest.mark.recorded_data
def test_the_right_answer_is_mostly_among_the_examples():
    """That of 77 intents which a message has is among the 8 chosen of 500, and seldom among 8 drawn by chance."""
    known = os.environ.get("HITL_DATA")
    require(known, "the recorded data", "set HITL_DATA to the folder that docs/benchmarks.md describes")
    with (Path(known) / "banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chance = random.Random(0)
    chance.shuffle(rows)
    shown, asked = rows[:500], rows[500:1000]
    pool = ExamplePool(
        [Reviewed(case_id=f"c{n}", prompt=row["text"], answer=row["category"]) for n, row in enumerate(shown)]
    )

    chosen = [row["category"] in {one.answer for one in pool.select(row["text"])} for row in asked]
    drawn = [row["category"] in {one["category"] for one in chance.sample(shown, 8)} for row in asked]

    assert (sum(chosen) / 500, sum(drawn) / 500) == pytest.approx((0.872, 0.1), abs=0.02)
