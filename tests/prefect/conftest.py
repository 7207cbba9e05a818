"""What several tests of reviews begin with."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.resident import Resident

_DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}


@pytest.fixture
def ask(resident: Resident, document: str) -> Callable[..., str]:
    """Starts a run that waits for a person, under a policy."""

    def asked(**policy: Any) -> str:
        return resident.start(extract_invoice, document=document, policy=policy, model=resident.drafting(_DRAFT))

    return asked


@pytest.fixture
def collected() -> Iterator[None]:
    """So that no later test finds the clients that Prefect never closes: it opens one for each async flow."""
    yield
    gc.collect()
