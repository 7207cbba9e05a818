"""What a deployment needs, looked at one by one: each check says what it found and what follows."""

import asyncio
from importlib.metadata import version

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

from hitl_prefect.checks.finding import Check
from hitl_prefect.checks.seen import Seen, see, without_password
from hitl_prefect.checks.server import of_server
from hitl_prefect.checks.stores import of_store
from hitl_prefect.checks.work import of_work
from hitl_prefect.ui import runs_page

__all__ = ["Check", "acheck_all"]

_FASTAPI_TOO_NEW = (0, 151)


async def acheck_all(stores: tuple[str, ...]) -> list[Check]:
    """Look at the packages, the Prefect server, what is deployed and the stores; nothing here raises.

    Args:
        stores: `folder:` paths, `s3://` URLs or names of saved blocks; each is raced by 16 creators. Empty: those that
            deployments name, as far as they are no folder.
    """
    seen = await _seen()
    if isinstance(seen, Check):
        return [_packages(), seen, *[await of_store(store) for store in stores]]
    page = await asyncio.to_thread(runs_page)
    of_this = of_server(seen, ui=PREFECT_UI_URL.value() or "", page=page)
    named = stores or tuple(_shared(seen))
    raced = [await of_store(store, workers=seen.workers) for store in named]
    return [_packages(), *of_this, *of_work(seen), _limits(seen), *raced]


def _shared(seen: Seen) -> list[str]:
    """The stores that deployments name and that are the same from here; a folder is the worker's own."""
    saved = {one.name: one.kind for one in seen.blocks}
    kinds = {store: saved.get(store.rpartition("/")[2], "") for store in seen.given("store")}
    return [store for store, kind in kinds.items() if store.startswith("s3:") or kind == "hitl-s3-store"]


def _packages() -> Check:
    prefect, fastapi = version("prefect"), version("fastapi")
    found = f"prefect {prefect}, fastapi {fastapi}"
    if tuple(int(part) for part in fastapi.split(".")[:2]) >= _FASTAPI_TOO_NEW:
        follows = "Prefect's server does not start with it: `pip install 'fastapi>=0.139,<0.151'`"
        return Check(what="packages", state="fail", found=found, follows=follows)
    return Check(what="packages", state="ok", found=found)


async def _seen() -> Seen | Check:
    """What the server says; where it says nothing, what to do about that."""
    url = PREFECT_API_URL.value()
    if not url:
        follows = "`prefect config set PREFECT_API_URL=http://…/api`, else every command starts a throw-away server"
        return Check(what="server", state="fail", found="PREFECT_API_URL is not set", follows=follows)
    try:
        async with get_client() as client:
            return await see(client)
    except PrefectHTTPStatusError as exc:
        return _refused(without_password(url), exc.response.status_code)
    except (httpx.HTTPError, RuntimeError) as exc:
        follows = "start one (`prefect server start`) or correct PREFECT_API_URL"
        found = f"{without_password(url)} does not answer ({type(exc).__name__})"
        return Check(what="server", state="fail", found=found, follows=follows)


def _refused(url: str, status: int) -> Check:
    follows = "look at its log"
    if status in (401, 403):
        follows = "set PREFECT_API_AUTH_STRING=user:password, or PREFECT_API_KEY for Prefect Cloud"
    return Check(what="server", state="fail", found=f"{url} answers {status}", follows=follows)


def _limits(seen: Seen) -> Check:
    """The rate limits that all workers share."""
    if seen.limit_problems:
        problems = "; ".join(seen.limit_problems)
        return Check(what="limits", state="fail", found=problems, follows="no model behind it can be asked")
    found = "; ".join(seen.limits)
    return Check(what="limits", state="ok", found=found or "none: calls to models are not limited")
