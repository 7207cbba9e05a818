"""What a Prefect server says of itself and of what is deployed, asked once for all checks."""

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from prefect.client.base import ServerType
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import WorkerStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from pydantic import Field

from hitl_prefect.blocks import AnthropicModel, FolderStoreBlock, OpenAIModel, ReviewPolicy, S3StoreBlock
from hitl_prefect.detached.deployment import POOL
from hitl_prefect.frozen import Frozen
from hitl_prefect.limits import read_limits

__all__ = ["KINDS", "Deployed", "Pool", "Saved", "Seen", "ahead_of_ours", "see", "without_password"]

_PAGE = 200
_UPKEEP = "chase-reviews"
KINDS = {
    "store": tuple(kind.get_block_type_slug() for kind in (S3StoreBlock, FolderStoreBlock)),
    "model": tuple(kind.get_block_type_slug() for kind in (OpenAIModel, AnthropicModel)),
    "policy": (ReviewPolicy.get_block_type_slug(),),
}
"""The parameters of a deployment that may name a block, and the block types that they may name."""


class Deployed(Frozen):
    """A deployment of ours: one with a tag that begins with `hitl`."""

    name: str
    pool: str | None
    """`None`: served, without a work pool."""
    schedules: tuple[bool, ...] = ()
    """Whether each of its schedules is on."""
    is_paused: bool = False
    named: dict[str, str] = Field(default_factory=dict)
    """What its runs are given unless told otherwise, where that is text: `store`, `model`, `policy`, `work_pool`."""


class Pool(Frozen):
    """A work pool that something of ours runs in."""

    name: str
    kind: str
    """`process`, `hitl` and so on."""
    is_paused: bool
    needs_worker: bool
    """Whether it stands still without a worker: a push or managed pool does not."""
    workers: int
    """How many are online."""
    late: int = 0
    """How many flow runs should have begun by now."""


class Saved(Frozen):
    """A saved block."""

    kind: str
    name: str
    has_key: bool = False
    """Whether a model's block holds a key; which one, nobody is told."""


class Seen(Frozen):
    """A server, as it was when it was asked."""

    url: str
    version: str
    is_cloud: bool
    is_open: bool
    """Whether it answers without a password."""
    listens_on: str
    """The address that its settings name; empty where they are not told."""
    ahead_s: float
    """How far its clock is ahead of ours."""
    expires_every_s: float | None
    """How often it reads every paused run to let it expire; `None`: never, or not told."""
    keeps_results: bool
    """Whether it names a block where results go unless told otherwise."""
    limits: tuple[str, ...] = ()
    limit_problems: tuple[str, ...] = ()
    deployments: tuple[Deployed, ...] = ()
    upkeep: tuple[Deployed, ...] = ()
    """The deployments of the flow `chase-reviews`."""
    pools: tuple[Pool, ...] = ()
    """Those that a deployment of ours names, as far as they exist."""
    blocks: tuple[Saved, ...] = ()

    def given(self, parameter: str) -> list[str]:
        """What deployments of ours give for a parameter, each once, sorted."""
        return sorted({one.named[parameter] for one in self.deployments if parameter in one.named})

    def pools_named(self) -> list[str]:
        """The work pools that deployments of ours run in, or leave reviews to; each once, sorted."""
        return sorted({one.pool for one in self.deployments if one.pool} | set(self.given("work_pool")))

    @property
    def workers(self) -> int:
        """How many workers are online, in all pools."""
        return sum(pool.workers for pool in self.pools)


async def see(client: PrefectClient) -> Seen:
    """Ask a server.

    Raises:
        PrefectHTTPStatusError, httpx.TransportError: If it refuses, or is away.
    """
    is_cloud = client.server_type is ServerType.CLOUD
    is_open, ahead_s = await _as_stranger(client)
    settings = await _settings(client)
    expiring = settings.get("services", {}).get("pause_expirations", {})
    limits = await read_limits(client)
    deployments = [_deployed(one) async for one in _ours(client)]
    upkeep = await client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[_UPKEEP])))
    known = Seen(
        url=without_password(str(client.api_url)).rstrip("/"),
        version="Cloud" if is_cloud else await client.api_version(),
        is_cloud=is_cloud,
        is_open=is_open,
        listens_on=settings.get("api", {}).get("host", ""),
        ahead_s=ahead_s,
        expires_every_s=expiring.get("loop_seconds") if expiring.get("enabled") else None,
        keeps_results=await _keeps_results(client),
        limits=tuple(one.describe() for _, one in sorted(limits.items())),
        limit_problems=tuple(one.problem for _, one in sorted(limits.items()) if one.problem),
        deployments=tuple(sorted(deployments, key=lambda one: one.name)),
        upkeep=tuple(_deployed(one) for one in upkeep),
        blocks=tuple(await _blocks(client)),
    )
    return known.model_copy(update={"pools": tuple(await _pools(client, known.pools_named()))})


def ahead_of_ours(date: str | None, asked: float, heard: float) -> float:
    """How far a clock is ahead of ours, in seconds.

    Args:
        date: The `Date` header of an answer; it tells whole seconds.
        asked: Our clock when we asked, in seconds since 1970.
        heard: Our clock when we heard.

    >>> ahead_of_ours("Thu, 01 Jan 1970 00:01:40 GMT", 90.0, 91.0)
    10.0
    """
    if not date:
        return 0.0
    return round(parsedate_to_datetime(date).timestamp() + 0.5 - (asked + heard) / 2, 1)


def without_password(url: str) -> str:
    """An address without the password that somebody may have put into it.

    >>> without_password("https://ada:secret@prefect.example.com/api")
    'https://prefect.example.com/api'
    """
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.replace(f"{user}{at}", "", 1) if user else url


async def _as_stranger(client: PrefectClient) -> tuple[bool, float]:
    """Whether a server answers somebody without a password, and how far its clock is ahead."""
    asked = time.time()
    try:
        # Through the same client, so that a certificate authority of one's own counts; the header takes its password
        # away, and is no valid one anywhere.
        answer = await client.request("GET", "/admin/version", headers={"Authorization": "none"})
    except PrefectHTTPStatusError as exc:
        answer = exc.response
    return answer.is_success, ahead_of_ours(answer.headers.get("Date"), asked, time.time())


async def _settings(client: PrefectClient) -> dict[str, Any]:
    """The server's own settings, secrets obscured; empty where it does not tell them, as Prefect Cloud does not."""
    with suppress(PrefectHTTPStatusError, ObjectNotFound):
        found: dict[str, Any] = (await client.request("GET", "/admin/settings")).json().get("server", {})
        return found
    return {}


async def _keeps_results(client: PrefectClient) -> bool:
    with suppress(PrefectHTTPStatusError, ObjectNotFound):
        return (await client.read_server_default_result_storage()).default_result_storage_block_id is not None
    return False


async def _ours(client: PrefectClient) -> AsyncIterator[DeploymentResponse]:
    offset = 0
    while page := await client.read_deployments(limit=_PAGE, offset=offset):
        for one in page:
            if any(tag.startswith("hitl") for tag in one.tags):
                yield one
        offset += len(page)


def _deployed(one: DeploymentResponse) -> Deployed:
    properties = (one.parameter_openapi_schema or {}).get("properties", {})
    declared = {name: properties[name].get("default") for name in properties}
    given = {name: value for name, value in (declared | one.parameters).items() if isinstance(value, str) and value}
    return Deployed(
        name=one.name,
        pool=one.work_pool_name,
        schedules=tuple(schedule.active for schedule in one.schedules),
        is_paused=one.paused,
        named={name: given[name] for name in (*KINDS, "work_pool") if name in given},
    )


async def _pools(client: PrefectClient, names: Iterable[str]) -> list[Pool]:
    found = []
    for name in {*names, POOL}:
        with suppress(ObjectNotFound):
            pool = await client.read_work_pool(name)
            workers = await client.read_workers_for_work_pool(name)
            found.append(
                Pool(
                    name=name,
                    kind=pool.type,
                    is_paused=pool.is_paused,
                    needs_worker=not (pool.is_push_pool or pool.is_managed_pool),
                    workers=sum(worker.status is WorkerStatus.ONLINE for worker in workers),
                    late=await _late(client, name),
                )
            )
    return sorted(found, key=lambda pool: pool.name)


async def _late(client: PrefectClient, pool: str) -> int:
    wanted = {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}, "work_pools": {"name": {"any_": [pool]}}}
    return int((await client.request("POST", "/flow_runs/count", json=wanted)).json())


async def _blocks(client: PrefectClient) -> list[Saved]:
    slugs = [slug for kinds in KINDS.values() for slug in kinds]
    wanted = {"block_types": {"slug": {"any_": slugs}}, "include_secrets": False, "limit": _PAGE}
    found = (await client.request("POST", "/block_documents/filter", json=wanted)).json()
    return [
        Saved(kind=one["block_type"]["slug"], name=one["name"], has_key=bool(one["data"].get("api_key")))
        for one in found
        if one["name"]
    ]
