"""A policy in a file, as it is reviewed beside the code: YAML or JSON."""

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
        ConfigError: If it cannot be read, is neither YAML nor JSON, or no policy.
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
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as exc:
        raise ConfigError(f"policy {str(path)!r} cannot be read: {exc}") from exc
    values = list(islice(walk(found), _MOST_VALUES + 1))
    if len(values) > _MOST_VALUES or any(depth > MAX_DEPTH for _, depth in values):
        raise ConfigError(f"{str(path)!r} holds no policy: it repeats itself, or has too many values; write it out")
    return found
