"""The way to the Prefect server where it is plain: an address, and perhaps a password, as Prefect would read them.

Prefect reads its settings from many places, and takes a second to be imported before it does. Here two are read, the
environment and the active profile. Whatever else could matter makes the way not plain, and is left to Prefect.
"""

import base64
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["PlainConnection", "plain_connection"]

_READ = {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_UI_URL"}
_ELSEWHERE = re.compile("PREFECT_(API|CLIENT|CLOUD|TEST|UNIT_TEST|.*PLUGINS)")
"""How a setting begins that may change how, or whom, Prefect's own client asks."""


class PlainConnection(NamedTuple):
    """All that is needed to ask the server."""

    api: str
    ui: str
    """Where people open it; empty where that is beside the API."""
    headers: dict[str, str]
    """Say who asks."""


def plain_connection(folder: Path = Path()) -> PlainConnection | None:
    """What the environment and the active profile say; `None` where the way is not plain, or where there is none.

    Args:
        folder: The working directory, where Prefect also looks for settings.
    """
    try:
        if _has_settings(folder):
            return None
        settings = _profile() | {name.upper(): value for name, value in os.environ.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # a file that Prefect can complain about
        return None
    if any(_ELSEWHERE.match(name) and name not in _READ for name in settings):
        return None
    api = settings.get("PREFECT_API_URL", "").rstrip("/")
    if "prefect.cloud" in api or not api:
        return None
    return PlainConnection(api, settings.get("PREFECT_UI_URL", ""), _headers(settings))


def _has_settings(folder: Path) -> bool:
    """Whether a file of the working directory sets anything of Prefect's."""
    if (folder / "prefect.toml").exists() or (folder / ".env").exists():
        return True
    project = folder / "pyproject.toml"
    return project.exists() and "prefect" in tomllib.loads(project.read_text("utf-8")).get("tool", {})


def _profile() -> dict[str, str]:
    """The settings of the active profile; nothing where there is none."""
    home = os.environ.get("PREFECT_HOME") or Path("~/.prefect").expanduser()
    file = Path(os.environ.get("PREFECT_PROFILES_PATH") or Path(home, "profiles.toml"))
    if not file.exists():
        return {}
    known = tomllib.loads(file.read_text("utf-8"))
    active = os.environ.get("PREFECT_PROFILE") or known.get("active")
    return {name: str(value) for name, value in known.get("profiles", {}).get(active, {}).items()}


def _headers(settings: Mapping[str, str]) -> dict[str, str]:
    if password := settings.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(password.encode()).decode()}"}
    if key := settings.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}
