"""`make test-lowest` tests the lowest versions that `pyproject.toml` allows, and no others."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = ("learn", "parquet")
"""The extras that are installed there."""


def _without_zeros(version):
    """`6` and `6.0` are one version."""
    return re.sub(r"(\.0)+$", "", version)


def _bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(line for name in EXTRAS for line in project["optional-dependencies"][name])]
    return dict(re.match(r"([\w-]+)>=([\d.]+)", line).groups() for line in wanted)


def test_the_lowest_versions_are_the_bounds_of_the_project():
    """A bound that is lowered without being tested, or tested without being lowered, is a promise nobody keeps."""
    lines = (ROOT / "constraints-lowest.txt").read_text("utf-8").splitlines()
    installed = dict(line.split("==") for line in lines if not line.startswith("#"))
    bounds = _bounds()

    assert {name: _without_zeros(installed[name]) for name in bounds} == {
        name: _without_zeros(version) for name, version in bounds.items()
    }
