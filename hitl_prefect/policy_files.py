"""A policy in a file, as it is reviewed beside the code: YAML or JSON."""

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.bounds import MAX_DEPTH, walk
from hitl_prefect.errors import ConfigError
from hitl_prefect.policy import Policy

__all__ = ["read_policy"]

_MOST_VALUES = 10_000
"""YAML repeats a part by its name, and the parts of that: ten lines can stand for a thousand million values."""


def read_policy(path: Path) -> Policy:
    """The policy that a file holds.

    Raises:
        ConfigError: If it cannot be read, is neither YAML nor JSON, names a field twice, or holds no policy.
    """
    found = _read(path)
    if not isinstance(found, dict):
        raise ConfigError(f"{str(path)!r} holds no policy: write its fields, such as `min_confidence: 0.9`")
    try:
        return Policy.model_validate(found)
    except ValidationError as exc:
        raise ConfigError(f"{str(path)!r} holds no policy: {'; '.join(problems_of(exc))}") from exc


def _read(path: Path) -> Any:
    import yaml

    try:
        text = path.read_text("utf-8")
        _check_once(yaml.compose(text, Loader=yaml.SafeLoader))
        found = yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as exc:
        raise ConfigError(f"policy {str(path)!r} cannot be read: {exc}") from exc
    values = list(islice(walk(found), _MOST_VALUES + 1))
    if len(values) > _MOST_VALUES or any(depth > MAX_DEPTH for _, depth in values):
        raise ConfigError(f"{str(path)!r} holds no policy: it repeats itself, or has too many values; write it out")
    return found


def _check_once(document: Any) -> None:
    """Of a field that stands there twice YAML takes the last one, and whoever reads the file sees the first."""
    waiting, seen = [document], set[int]()
    while waiting:
        node = waiting.pop()
        # An alias leads to a node that was looked at, and may lead into itself.
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue
        seen.add(id(node))
        pairs = [one for one in node.value if isinstance(one, tuple)]
        waiting += [part for one in node.value for part in (one if isinstance(one, tuple) else (one,))]
        names = Counter(name.value for name, _ in pairs if isinstance(name.value, str))
        if twice := [name for name, times in names.items() if times > 1]:
            raise ConfigError(
                f"{twice[0]!r} stands in the policy twice, from line {node.start_mark.line + 1}: keep one"
            )
