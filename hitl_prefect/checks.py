"""What a deployment needs, looked at one by one: each check says what it found and what follows."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Literal

import httpx
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

from hitl_prefect.configured import store_of
from hitl_prefect.errors import HitlError
from hitl_prefect.frozen import Frozen
from hitl_prefect.limits import read_limits
from hitl_prefect.stores.once import RawStore
from hitl_prefect.stores.probe import probe

__all__ = ["Check", "acheck_all"]


_FASTAPI_TOO_NEW = (0, 151)


class Check(Frozen):
    """One finding."""

    what: str
    state: Literal["ok", "warn", "fail"]
    found: str
    follows: str = ""
    """What to do, where something is to be done."""


async def acheck_all(stores: tuple[str, ...]) -> list[Check]:
    """Look at the packages, the Prefect server and the named stores; nothing here raises.

    Args:
        stores: `folder:` paths, `s3://` URLs or names of saved blocks; each is raced by 16 creators.
    """
    looks: list[Callable[[], Awaitable[Check]]] = [_packages, _server, _links, _limits]
    checks = [await look() for look in looks]
    return checks + [await _store(store) for store in stores]


async def _packages() -> Check:
    prefect, fastapi = version("prefect"), version("fastapi")
    found = f"prefect {prefect}, fastapi {fastapi}"
    if tuple(int(part) for part in fastapi.split(".")[:2]) >= _FASTAPI_TOO_NEW:
        follows = "Prefect's server does not start with it: `pip install 'fastapi>=0.139,<0.151'`"
        return Check(what="packages", state="fail", found=found, follows=follows)
    return Check(what="packages", state="ok", found=found)


async def _server() -> Check:
    url = PREFECT_API_URL.value()
    if not url:
        follows = "`prefect config set PREFECT_API_URL=http://…/api`, else every command starts a throw-away server"
        return Check(what="server", state="fail", found="PREFECT_API_URL is not set", follows=follows)
    try:
        async with get_client() as client:
            running = await client.api_version()
    except (httpx.HTTPError, RuntimeError) as exc:
        follows = "start one (`prefect server start`) or correct PREFECT_API_URL"
        found = f"{url} does not answer ({type(exc).__name__})"
        return Check(what="server", state="fail", found=found, follows=follows)
    return Check(what="server", state="ok", found=f"{url} runs Prefect {running}")


async def _links() -> Check:
    if url := PREFECT_UI_URL.value():
        return Check(what="links", state="ok", found=f"reviews open at {url}")
    follows = "set PREFECT_UI_URL where reviewers reach the UI at another address than the API"
    return Check(what="links", state="warn", found="PREFECT_UI_URL is not set", follows=follows)


async def _limits() -> Check:
    """The rate limits that all workers share; a server that does not answer is another check's finding."""
    if not PREFECT_API_URL.value():
        return Check(what="limits", state="warn", found="not looked at: there is no server")
    try:
        async with get_client() as client:
            limits = await read_limits(client)
    except (httpx.HTTPError, RuntimeError) as exc:
        return Check(what="limits", state="warn", found=f"not looked at ({type(exc).__name__})")
    if problems := [limit.problem for limit in limits.values() if limit.problem]:
        return Check(what="limits", state="fail", found="; ".join(problems), follows="no model behind it can be asked")
    found = "; ".join(limit.describe() for _, limit in sorted(limits.items()))
    return Check(what="limits", state="ok", found=found or "none: calls to models are not limited")


async def _store(name: str) -> Check:
    what = f"store {name}"
    try:
        store = await store_of(name)
        if not isinstance(store, RawStore):
            return Check(what=what, state="warn", found=f"{store.url} is no store of this package: not raced")
        capability = await asyncio.to_thread(probe, store)
    except (HitlError, httpx.HTTPError, RuntimeError) as exc:
        return Check(
            what=what, state="fail", found=str(exc) or type(exc).__name__, follows="an outcome could not be stored"
        )
    state: Literal["ok", "warn"] = "ok" if capability.create == "atomic" else "warn"
    return Check(what=what, state=state, found=f"create-if-absent is {capability.create}", follows=capability.follows)
