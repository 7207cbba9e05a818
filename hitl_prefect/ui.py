"""The page of the Prefect UI where a person answers: which of the two UIs is in force, the server tells.

Prefect's older UI stands at the root and its newer one below `/v2`; each opens its own links only. The server's
operator chooses with `PREFECT_SERVER_UI_V2_ENABLED`.
"""

import asyncio
from uuid import UUID

import httpx
from prefect.settings import PREFECT_API_URL, PREFECT_CLOUD_API_URL, PREFECT_UI_URL

__all__ = ["arun_url", "run_url", "runs_page"]

_PATIENCE_S = 5.0
_folders: dict[str, str] = {}
"""What the pages of a server's UI stand below, by the server; asked once per process."""


def run_url(run_id: UUID) -> str:
    """The page of a flow run in the UI that is in force."""
    return f"{runs_page()}/{run_id}"


def runs_page() -> str:
    """What the pages of all flow runs stand below, in the UI that is in force.

    Asks the server the first time. Where it does not say, the link is to the newer UI, the default since Prefect 3.8.
    """
    api = PREFECT_API_URL.value() or ""
    root = api.removesuffix("/api")
    ui = (PREFECT_UI_URL.value() or root).rstrip("/")
    folder = "" if api.startswith(PREFECT_CLOUD_API_URL.value()) else _folder(root)
    return f"{ui.removesuffix(folder) if folder else ui}{folder}/runs/flow-run"


async def arun_url(run_id: UUID) -> str:
    """The same as `run_url`, without holding up the event loop."""
    return await asyncio.to_thread(run_url, run_id)


def _folder(root: str) -> str:
    if root not in _folders and (told := _told_by(root)) is not None:
        _folders[root] = told
    return _folders.get(root, "/v2")


def _told_by(root: str) -> str | None:
    """`/v2` or nothing, as the server says; `None` where it does not say."""
    try:
        settings = httpx.get(f"{root}/ui-settings", timeout=_PATIENCE_S).raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    # A server that knows one UI only names none.
    return "/v2" if settings.get("default_ui", "v1") == "v2" else ""
