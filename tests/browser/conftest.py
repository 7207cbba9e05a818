"""One Prefect server and one Chromium for all browser tests; each test runs in Prefect's UIs, most in both."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.desk import Asked, Desk
from tests.browser.pages import ResumeForm, V1Form, V2Form
from tests.servers.machine import require
from tests.servers.prefect import PrefectServer

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_MANY_FORMS = ("test_form_fields", "test_refusing")
_PATIENCE_MS = 60_000


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Closed with the last browser test: an open page costs a fifth of a core."""
    path = Path(shutil.which("chromium") or "/usr/bin/chromium")
    require(path.exists(), "Chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def desk(prefect_server: PrefectServer) -> Iterator[Desk]:
    with Desk(prefect_server.api_url) as desk:
        yield desk


@pytest.fixture(scope="package")
def window(chromium: Browser) -> Iterator[BrowserContext]:
    """One window for all tests: what the UIs load is loaded once."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1600})
    context.set_default_timeout(_PATIENCE_MS)
    expect.set_options(timeout=_PATIENCE_MS)
    yield context
    context.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Field by field, and refusal by refusal, the older UI is tried only where all tests run."""
    for item in items:
        if item.path.stem in _MANY_FORMS and "[v1" in item.name:
            item.add_marker(pytest.mark.full)


@pytest.fixture(params=[V1Form, V2Form], ids=["v1", "v2"])
def ui(request: pytest.FixtureRequest, window: BrowserContext, prefect_server: PrefectServer) -> Iterator[ResumeForm]:
    """An empty page of one of the UIs."""
    page = window.new_page()
    yield request.param(page, prefect_server.ui_url)
    page.close()


@pytest.fixture
def ask(desk: Desk, ui: ResumeForm) -> Callable[..., Asked]:
    """Ask a person: a suspended flow run, its form open in the browser."""

    def asked(answer: Any, draft: Any, **details: Any) -> Asked:
        asked = desk.ask(answer, draft, **details)
        ui.open(asked.run_id)
        return asked

    return asked
