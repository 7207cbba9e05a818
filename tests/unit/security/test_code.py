"""Nothing that is stored, answered or named runs as code: no pickle, no eval, no shell."""

import ast
import asyncio
import importlib
import pickle
import pkgutil
from pathlib import Path

import pyarrow
import pytest
from prefect import Flow, Task
from prefect.settings import PREFECT_RESULTS_PERSIST_BY_DEFAULT
from pyarrow import parquet

import hitl_prefect
from hitl_prefect.answer_names import answer_named
from hitl_prefect.answers import AnswerType
from hitl_prefect.case_lines import BadLine
from hitl_prefect.detached.parameters import ReviewParameters, thaw
from hitl_prefect.errors import ConfigError, HitlError, StoreDenied
from hitl_prefect.learning import read_model
from hitl_prefect.policy_versions import newest
from hitl_prefect.reading import Unreadable, read_outcomes
from hitl_prefect.sources import read_cases
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.verifying import verify_store
from tests.unit.security.sources import nodes

UNSAFE = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
RUNS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "np.load"}


class Bomb:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def bomb(tmp_path):
    """Bytes that write a file when they are unpickled; it must not be there at the end."""
    path = tmp_path / "went-off"
    yield pickle.dumps(Bomb(path))
    assert not path.exists()


def test_no_module_imports_what_unpickles():
    names = {
        (file, name.partition(".")[0])
        for file, node in nodes(ast.Import, ast.ImportFrom)
        for name in ([one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }

    assert {one for one in names if one[1] in UNSAFE} == set()


def test_no_module_runs_a_text():
    """And no command goes through a shell."""
    calls = {(file, _called(node.func)) for file, node in nodes(ast.Call)}
    shells = [file for file, node in nodes(ast.keyword) if node.arg in ("shell", "allow_pickle")]

    assert {one for one in calls if one[1] in RUNS} == set()
    assert shells == []


def _called(function):
    """`eval`, or `os.system`; what is called on anything else than a name is a method."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return getattr(function, "id", "")


def _ours(kind):
    for one in pkgutil.walk_packages(hitl_prefect.__path__, "hitl_prefect."):
        if "__main__" not in one.name and ".data" not in one.name:
            module = importlib.import_module(one.name)
            yield from (found for found in vars(module).values() if isinstance(found, kind))


def test_prefect_is_never_told_to_keep_a_result():
    """It would write it, and read it, as a pickle. What is kept is JSON, in run inputs and in the store."""
    tasks, flows = {one.name: one for one in _ours(Task)}, {one.name: one for one in _ours(Flow)}

    assert {name: one.persist_result for name, one in (tasks | flows).items()} == dict.fromkeys(tasks | flows, False)
    assert {"generate", "save_outcome", "review"} <= set(tasks | flows)
    assert PREFECT_RESULTS_PERSIST_BY_DEFAULT.value() is False


def test_a_pickle_in_a_store_is_refused_by_whoever_reads_it(bomb, tmp_path):
    """As an outcome, an index entry, a trained model, a bar in force, and a review that waits."""
    store = FolderStore(tmp_path / "store")
    for key in (
        "outcomes/v1/task=support/dt=2026-01-02/c1.json",
        "cases/v1/task=support/c1.json",
        "models/v1/task=support/000001.json",
        "policies/v1/task=support/000001.json",
    ):
        store.write(key, bomb)

    assert [type(one) for one in read_outcomes(store)] == [Unreadable]
    assert verify_store(store, {}).findings
    with pytest.raises(ConfigError, match="is no classifier"):
        read_model(store, "support")
    with pytest.raises(StoreDenied, match="is no version of a policy"):
        newest(store, "support")
    asked = ReviewParameters(case="c1", task="support", store=store.url, asked=bomb.decode("latin-1"))
    with pytest.raises(HitlError, match="was changed after it was opened"):
        asyncio.run(thaw(asked))


def test_a_pickle_in_the_schema_of_a_parquet_file_is_not_opened(bomb, tmp_path):
    """Old versions of pyarrow did: https://nvd.nist.gov/vuln/detail/CVE-2023-47248."""
    hidden = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": bomb}
    fields = [pyarrow.field("id", pyarrow.string()), pyarrow.field("prompt", pyarrow.string(), metadata=hidden)]
    path = tmp_path / "cases.parquet"
    parquet.write_table(pyarrow.table([["c1"], ["Who?"]], schema=pyarrow.schema(fields)), path)

    [found] = read_cases(path, task="mail")

    assert isinstance(found, BadLine) or found[1].id == "c1"


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:getoutput", "builtins:eval", "hitl_prefect.keys:make_key", "os:path"]
)
def test_the_name_of_an_answer_type_calls_nothing(name):
    """Pydantic calls a function with what it validates."""
    with pytest.raises(ConfigError, match="and no type"):
        answer_named(name)


def test_a_function_is_no_answer_type():
    with pytest.raises(ConfigError, match="which pydantic would call with what a model wrote"):
        AnswerType(print)
