"""One user's installation for all tests: a Prefect server, a worker, a bucket behind a proxy, and a model."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hitl_prefect.demo.processes import prefect_server
from tests.prefect.resident import Resident
from tests.prefect.site import Site
from tests.servers.prefect import PrefectServer
from tests.servers.proxy import StoreProxy, store_proxy
from tests.servers.s3_server import S3Server
from tests.wire.loopback import Answer, LoopbackAI

DRAFT = '{"vendor": "ACME", "total": 12.5, "notes": {}, "confidence": 0.6}'


@dataclass
class Model:
    """What the model says about each document, and how often it was asked."""

    ai: LoopbackAI | None = None
    says: dict[str, list[Answer]] = field(default_factory=dict)
    _asked: Counter[str] = field(default_factory=Counter)

    def reply(self, _path: str, body: dict[str, Any]) -> Answer:
        """The next reply about the document that the prompt holds; the last one repeats."""
        prompt = str(body["messages"])
        document = next((name for name in self.says if name in prompt), "")
        self._asked[document] += 1
        replies = self.says.get(document, [DRAFT])
        return replies[min(self._asked[document], len(replies)) - 1]

    def calls(self, document: str) -> list[dict[str, Any]]:
        """The requests about a document, in order."""
        assert self.ai is not None
        return [asked.body for asked in self.ai.requests if document in str(asked.body["messages"])]


@pytest.fixture(scope="session")
def model() -> Iterator[Model]:
    """A loopback server that speaks OpenAI's protocol."""
    made = Model()
    with LoopbackAI(made.reply) as made.ai:
        yield made


@pytest.fixture(scope="session")
def proxy(ceph: S3Server) -> Iterator[StoreProxy]:
    """Stands between every worker and the bucket."""
    with store_proxy(ceph.endpoint_url) as made:
        yield made


@pytest.fixture(scope="session")
def site(
    prefect_server: PrefectServer,
    tmp_path_factory: pytest.TempPathFactory,
    ceph: S3Server,
    proxy: StoreProxy,
    model: Model,
) -> Iterator[Site]:
    """A running installation; its outcomes are in Ceph."""
    assert model.ai is not None
    bucket = ceph.behind(proxy.endpoint_url).store(ceph.new_bucket())
    folder: Path = tmp_path_factory.mktemp("site")
    made = Site(prefect_server, folder, bucket, **model.ai.env_of("openai"), **ceph.behind(proxy.endpoint_url).env)
    try:
        made.deploy("invoices.py:extract_invoice")
        made.worker.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def resident(prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resident]:
    """Runs flows in the test's own process: quick, where a process of their own does not matter."""
    made = Resident(prefect_server, tmp_path_factory.mktemp("resident"))
    try:
        yield made
    finally:
        made.api.close()


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resident]:
    """The same on a server that shows the older UI and looks for expired pauses every second."""
    home = tmp_path_factory.mktemp("elsewhere")
    settings = {
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "true",
        "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1",
    }
    with prefect_server(home / "prefect", PREFECT_SERVER_LOGGING_LEVEL="WARNING", **settings) as server:
        made = Resident(server, home)
        yield made
        made.api.close()


@pytest.fixture
def document(request: pytest.FixtureRequest) -> str:
    """A document that only this test sends."""
    return f"document of {request.node.name}"
