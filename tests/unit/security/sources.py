"""The project's own modules as syntax trees, parsed once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["nodes"]

_ROOT = Path(__file__).parents[3]


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of some kinds in `hitl_prefect/`, `flows/` and `blocks/`, with the name of its file."""
    return ((name, node) for name, node in _all() if isinstance(node, kinds))


@cache
def _all() -> list[tuple[str, ast.AST]]:
    paths = [path for folder in ("hitl_prefect", "flows", "blocks") for path in (_ROOT / folder).rglob("*.py")]
    return [(path.name, node) for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]
