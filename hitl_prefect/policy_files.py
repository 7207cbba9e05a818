"""A policy in a file, as it is reviewed beside the code: YAML or JSON."""

from pathlib import Path

from pydantic import ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.policy import Policy

__all__ = ["read_policy"]


def read_policy(path: Path) -> Policy:
    """The policy that a file holds.

    Raises:
        ConfigError: If it cannot be read, is neither YAML nor JSON, or no policy.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError(f"policy {str(path)!r} cannot be read: {exc}") from exc
    if not isinstance(found, dict):
        raise ConfigError(f"{str(path)!r} holds no policy: write its fields, such as `min_confidence: 0.9`")
    try:
        return Policy.model_validate(found)
    except ValidationError as exc:
        raise ConfigError(f"{str(path)!r} holds no policy: {'; '.join(problems_of(exc))}") from exc
