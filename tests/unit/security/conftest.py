"""Here nothing is allowed that a user's own machine would not allow."""

import pytest


@pytest.fixture(autouse=True)
def no_host_is_allowed_beyond_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the stores of tests on loopback are."""
    monkeypatch.delenv("HITL_ALLOWED_HOSTS", raising=False)
