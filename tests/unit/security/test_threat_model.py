"""The threat model is true: each threat names tests, and each test is there."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
_, THREATS = re.split(r"^## Threats$", PAGE, flags=re.MULTILINE)
ROWS = [line.split(" | ") for line in THREATS.split("\n## ")[0].splitlines() if line.startswith("| ")][2:]


@lru_cache
def names_in(path):
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))) if hasattr(node, "name")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].removeprefix("| ")[:60])
def test_every_threat_names_who_could_what_stops_it_and_tests_that_exist(row):
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[-1])

    assert len(row) == 4
    assert named
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def test_every_module_of_attacks_is_in_the_threat_model():
    modules = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).name}

    assert {name for name in modules if f"security/{name}::" in THREATS} == modules
