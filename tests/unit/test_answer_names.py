"""Answer types by name: any process with the same code finds the same type."""

import importlib
import sys
from enum import Enum
from typing import Literal

import pytest
from prefect.utilities.importtools import load_script_as_module
from pydantic import create_model

from hitl_prefect.answer_names import answer_named, name_of_answer
from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Usage

_SCRIPT = "from pydantic import BaseModel\n\nclass Invoice(BaseModel):\n    total: float\n"


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize("answer", [str, int, float, bool, Literal["a", 'b"', 3], Usage])
def test_a_type_is_found_under_its_name(answer):
    assert answer_named(name_of_answer(answer)) == answer


def test_a_type_of_a_script_is_found_by_its_file(tmp_path, monkeypatch):
    """Prefect runs flows from files that no module name imports."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "invoices.py").write_text(_SCRIPT)
    monkeypatch.chdir(tmp_path)
    found = answer_named("flows/invoices.py:Invoice")

    assert (found.__name__, list(found.model_fields)) == ("Invoice", ["total"])
    assert answer_named("flows/invoices.py:Invoice") is found


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a flow and a module beside it; what is loaded from there is forgotten at the end."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "bills_to_sort.py").write_text(_SCRIPT)
    (tmp_path / "flows" / "bill_types.py").write_text(_SCRIPT)
    (tmp_path / "bills_at_the_top.py").write_text(_SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_type_of_a_flow_that_prefect_runs_is_named_by_its_file(project):
    """Under whichever name Prefect has loaded it: that of the file the first time, one of its own after that."""
    path = "flows/bills_to_sort.py"

    for _ in range(2):
        assert name_of_answer(load_script_as_module(path).Invoice) == f"{path}:Invoice"


def test_a_type_of_a_module_beside_a_flow_is_named_by_its_file(project):
    """It can be imported here, where Prefect has put that folder in front of `sys.path`, and in no worker."""
    load_script_as_module("flows/bills_to_sort.py")

    assert name_of_answer(importlib.import_module("bill_types").Invoice) == "flows/bill_types.py:Invoice"
    assert name_of_answer(importlib.import_module("bills_at_the_top").Invoice) == "bills_at_the_top:Invoice"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_such_module:Invoice", "No module named"),
        ("hitl_prefect.models:NoSuch", "has no attribute"),
        ("../outside.py:Invoice", "is not below"),
        ("missing.py:Invoice", "No such file"),
    ],
)
def test_what_is_not_there_says_what_to_do(name, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told) as caught:
        answer_named(name)

    assert "start the worker in the folder of the project" in str(caught.value)


def test_a_type_without_a_name_is_refused():
    """Before anything is opened."""

    class Inner:
        pass

    with pytest.raises(ConfigError, match="define it at the top of a module"):
        name_of_answer(Inner)
    with pytest.raises(ConfigError, match="define it at the top of a module"):
        name_of_answer(list[str] | None)


@pytest.mark.parametrize("answer", [list[str], dict[str, int], Literal[Colour.RED], create_model("Letter", words=int)])
def test_a_type_that_its_name_would_not_find_again_is_refused(answer):
    """`list[str]` calls itself `list`: a reviewer's answer would be read as any list."""
    with pytest.raises(ConfigError, match="no name under which a worker could find it"):
        name_of_answer(answer)


def test_a_type_of_a_script_elsewhere_is_refused(tmp_path, monkeypatch):
    """A worker starts in the folder of the project, and would not find it."""
    (tmp_path / "elsewhere.py").write_text(_SCRIPT)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    answer = load_script_as_module(str(tmp_path / "elsewhere.py")).Invoice

    with pytest.raises(ConfigError, match=r"stands in no file below .*project': move it to a module"):
        name_of_answer(answer)
