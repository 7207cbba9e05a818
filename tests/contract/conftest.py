"""One contract, six stores: a folder, an imitation of AWS, and real Ceph and rclone over http and https."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hitl_prefect.stores import FolderStore, S3Store
from tests.servers.proxy import StoreProxy, store_proxy
from tests.servers.s3_server import S3Server

_SERVERS = ("moto", "ceph", "ceph_tls", "rclone", "rclone_tls")


@dataclass
class Target:
    """A place for one test, and as many stores on it as the test wants processes."""

    create: str
    """What the raw create-if-absent is worth."""
    folder: Path | None = None
    server: S3Server | None = None
    bucket: str = ""
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex)
    opened: list[S3Store] = field(default_factory=list)

    def store(self, **changes: object) -> FolderStore | S3Store:
        """A new store on the same place."""
        if self.server is None:
            return FolderStore(self.folder or "")
        self.opened.append(self.server.store(self.bucket, self.prefix, **changes))
        return self.opened[-1]

    def close(self) -> None:
        for store in self.opened:
            store.close()


@pytest.fixture(scope="session")
def buckets() -> dict[str, str]:
    """One bucket per server: each test has its own prefix."""
    return {}


def _target(server: S3Server, buckets: dict[str, str]) -> Target:
    if server.endpoint_url not in buckets:
        buckets[server.endpoint_url] = server.new_bucket()
    return Target(server.create, server=server, bucket=buckets[server.endpoint_url])


@pytest.fixture(params=("folder", *_SERVERS))
def target(request: pytest.FixtureRequest, tmp_path: Path, buckets: dict[str, str]) -> Iterator[Target]:
    """Every store."""
    if request.param == "folder":
        yield Target("atomic", folder=tmp_path / "store")
        return
    target = _target(request.getfixturevalue(request.param), buckets)
    yield target
    target.close()


@pytest.fixture(params=_SERVERS)
def s3_target(request: pytest.FixtureRequest, buckets: dict[str, str]) -> Iterator[Target]:
    """Every store that speaks S3."""
    target = _target(request.getfixturevalue(request.param), buckets)
    yield target
    target.close()


@dataclass
class Faulty:
    """A store that is reached through a proxy, and the server behind it."""

    proxy: StoreProxy
    store: S3Store
    behind: S3Store
    """Reaches the same objects without the proxy."""
    server: S3Server


@pytest.fixture(params=("moto", "ceph", "rclone"))
def faulty(request: pytest.FixtureRequest, buckets: dict[str, str]) -> Iterator[Faulty]:
    """Every server that can be reached over plain http, with a proxy in front."""
    target = _target(request.getfixturevalue(request.param), buckets)
    with store_proxy(target.server.endpoint_url) as proxy:
        store = target.store(endpoint_url=proxy.endpoint_url)
        yield Faulty(proxy, store, target.store(), target.server)
        target.close()
