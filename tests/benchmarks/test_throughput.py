"""Does the benchmark of many cases measure what it says? A short run with real SDKs and a server of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.throughput import HEAD, Pace

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_short_run_tells_every_figure(provider):
    """64 cases at 16 in flight: four rounds of 0.2 s."""
    command = [sys.executable, "-m", "benchmarks.throughput", "--provider", provider, "--cases", "64"]
    done = subprocess.run(
        [*command, "--in-flight", "16"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    *head, row = done.stdout.splitlines()
    name, cases, in_flight, seconds, ideal, *_ = (cell.strip() for cell in row.split("|")[1:-1])

    assert "\n".join(head) == HEAD
    assert (name, cases, in_flight, ideal) == (provider, "64", "16", "0.80")
    assert float(seconds) >= 0.8


def test_the_ideal_is_a_client_that_costs_nothing():
    made = Pace(provider="openai", cases=2000, in_flight=64, seconds=6.875, cpu_s=4, peak_mb=63)

    assert made.ideal_s == 6.25
    assert made.row() == "| openai | 2000 | 64 | 6.88 | 6.25 | 1.10 | 2.00 | 63 |"
