"""The page of the Prefect UI where a person answers: which of the two UIs is in force, the server tells.

Prefect's older UI stands at the root and its newer one below `/v2`; each opens its own links only. The server's
operator chooses with `PREFECT_SERVER_UI_V2_ENABLED`.
"""

import asyncio
import json
from http.client import HTTPException
from urllib.request import urlopen
from uuid import UUID

__all__ = ["arun_url", "run_url", "runs_page", "runs_page_of"]

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
    # Prefect takes a second to import, and whoever knows the addresses needs none of it.
    from prefect.settings import PREFECT_API_URL, PREFECT_CLOUD_API_URL, PREFECT_UI_URL

    api, ui = PREFECT_API_URL.value() or "", PREFECT_UI_URL.value() or ""
    if api.startswith(PREFECT_CLOUD_API_URL.value()):
        return f"{(ui or api).rstrip('/')}/runs/flow-run"
    return runs_page_of(api, ui)


def runs_page_of(api: str, ui: str) -> str:
    """The same as `runs_page`, for a server of one's own.

    Args:
        api: The address of its API.
        ui: The address of its UI; empty where the UI stands beside the API.
    """
    root = api.removesuffix("/api")
    page, folder = (ui or root).rstrip("/"), _folder(root)
    return f"{page.removesuffix(folder) if folder else page}{folder}/runs/flow-run"


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
        # Not by httpx, which takes 75 ms to import: `hitl inbox` can do without.
        with urlopen(f"{root}/ui-settings", timeout=_PATIENCE_S) as answer:  # noqa: S310 - the server's own address
            settings = json.load(answer)
    except (OSError, HTTPException, ValueError):
        return None
    # A server that knows one UI only names none.
    return "/v2" if settings.get("default_ui", "v1") == "v2" else ""
