"""In which of Prefect's two UIs a test runs."""

import pytest

from tests.browser.pages import V1Form, V2Form

__all__ = ["v2_first"]

v2_first = pytest.mark.parametrize(
    "ui", [pytest.param(V1Form, marks=pytest.mark.full), V2Form], ids=["v1", "v2"], indirect=True
)
"""In the newer UI, which Prefect shows; in the older with `HITL_FULL=1` as well.

For what happens around the form. What the fields of both show, take and refuse is tested in both, one by one.
"""
