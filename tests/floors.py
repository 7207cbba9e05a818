"""How many branches of the floors 0 to 2 (CONTRIBUTING.md) the tests take: `make coverage`.

Which modules those are follows from the import contracts in `pyproject.toml`, so that a new module counts at once: the
layer of the block classes and all below it, and what reads their configuration.
"""

import json
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["AT_LEAST", "branches", "modules", "patterns"]

ROOT = Path(__file__).parents[1]
AT_LEAST = 0.95
"""The share of branches that some test must take."""
_HIGHEST = "hitl_prefect.blocks"
_BESIDE = ("hitl_prefect.configured",)
"""On the floor of configuration, though its layer stands among the Prefect steps."""


def modules() -> list[str]:
    """The modules and packages of the floors 0 to 2, highest layer first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (stack,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    layers = [layer.split(" : ") for layer in stack]
    (highest,) = (place for place, layer in enumerate(layers) if _HIGHEST in layer)
    return [*_BESIDE, *(module for layer in layers[highest:] for module in layer)]


def patterns() -> Iterator[str]:
    """The files of those modules, as coverage.py wants them named."""
    for module in modules():
        path = Path(*module.split("."))
        yield f"{path}/*" if (ROOT / path).is_dir() else f"{path}.py"


def branches(report: dict[str, Any]) -> float:
    """The share of branches taken, in [0, 1], of a JSON report of coverage.py."""
    totals = report["totals"]
    return float(totals["covered_branches"] / totals["num_branches"])


def _report() -> dict[str, Any]:
    """Print the files that hold untaken lines or branches, and return the JSON report."""
    import coverage

    measured = coverage.Coverage()
    measured.load()
    included = list(patterns())
    measured.report(include=included, skip_covered=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "coverage.json")
        measured.json_report(include=included, outfile=str(path))
        report: dict[str, Any] = json.loads(path.read_bytes())
    return report


def _main() -> int:
    report = _report()
    share = branches(report)
    where = f"{report['totals']['num_branches']} branches in {len(report['files'])} files of the floors 0 to 2"
    print(f"{share:.1%} of {where} are taken; at least {AT_LEAST:.0%} must be")  # noqa: T201 - what it is run for
    return int(share < AT_LEAST)


if __name__ == "__main__":
    sys.exit(_main())
