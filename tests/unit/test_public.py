import subprocess
import sys
from inspect import signature

import hitl_prefect

_HEAVY = (
    "openai",
    "anthropic",
    "boto3",
    "botocore",
    "cryptography",
    "sklearn",
    "numpy",
    "pydantic_ai",
    "langgraph",
    "pyarrow",
    "matplotlib",
)


def _fresh(code: str) -> str:
    """What a new Python prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_every_public_name_is_there_and_sorted():
    """`__all__` is what the package promises."""
    assert hitl_prefect.__all__ == sorted(hitl_prefect.__all__)
    assert all(getattr(hitl_prefect, name) is not None for name in hitl_prefect.__all__)


def test_twins_take_and_give_the_same():
    """`resolve_case` and `aresolve_case`, and so on: what one takes the other takes as well."""
    twins = [name for name in hitl_prefect.__all__ if f"a{name}" in hitl_prefect.__all__]
    signatures = {name: signature(getattr(hitl_prefect, name)) for name in twins}

    assert signatures == {name: signature(getattr(hitl_prefect, f"a{name}")) for name in twins}


def test_importing_loads_no_sdk():
    """Neither the package nor the module that Prefect's collections point at."""
    loaded = _fresh(
        "import sys, hitl_prefect, hitl_prefect.agents, hitl_prefect.blocks, hitl_prefect.sources; print(*sys.modules)"
    ).split()

    assert [name for name in _HEAVY if name in loaded] == []


def test_using_every_public_name_loads_no_sdk():
    """An SDK is loaded when a model or a bucket is used, not before."""
    loaded = _fresh("import sys; from hitl_prefect import *; print(*sys.modules)").split()

    assert [name for name in _HEAVY if name in loaded] == []
