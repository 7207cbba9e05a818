"""What a batch needs before it begins."""

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from hitl_prefect import aresolve_cases
from hitl_prefect.errors import ConfigError


@pytest.mark.timeout(10)
async def test_outside_of_a_flow_run_a_batch_says_so_before_a_server_is_asked(tmp_path):
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(ConfigError) as refused:
        await aresolve_cases([], task="mail", model="embedded:support", store=f"folder:{tmp_path}")

    assert str(refused.value) == "resolve_cases needs a flow run: call it in the body of a function with @flow"
