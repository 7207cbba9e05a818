"""What a forgotten case leaves in a flow run that is about other cases too: nothing of its own."""

import json

import httpx
import pytest
from prefect.client.orchestration import PrefectClient

from hitl_prefect.forgetting_runs import ForgottenRun, aforget_run
from hitl_prefect.journal import slug_named
from tests.unit.making import a_tombstone

RUN = "7e9c3a52-1d7d-4bd6-8b1c-0d8d2f1f8a11"
OURS, OTHER = slug_named("invoices", "c1"), slug_named("invoices", "c2")
TOMBSTONE = a_tombstone(flow_run_id=RUN)


class Server:
    """The part of Prefect's server that is asked: one finished run and its inputs, given in the server's order."""

    def __init__(self, keys):
        self.keys = list(keys)

    def __call__(self, request):
        path = request.url.path
        if path.endswith("/csrf-token"):
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        if path.endswith("/input/filter"):
            asked = json.loads(request.content)
            found = [key for key in self.keys if key.startswith(asked["prefix"]) and key not in asked["exclude_keys"]]
            rows = [{"flow_run_id": RUN, "key": key, "value": "{}"} for key in found[: asked["limit"]]]
            return httpx.Response(200, json=rows)
        if request.method == "DELETE":
            self.keys.remove(path.rpartition("/")[2])
            return httpx.Response(204)
        state = {"type": "COMPLETED", "name": "Completed"}
        return httpx.Response(200, json={"id": RUN, "flow_id": RUN, "name": "r", "state": state})


async def forgotten(server):
    async with PrefectClient(
        "http://127.0.0.1/api", httpx_settings={"transport": httpx.MockTransport(server)}, server_type="server"
    ) as client:
        return await aforget_run(client, TOMBSTONE)


@pytest.mark.parametrize("how", ["suspended", "paused"])
async def test_forms_and_what_was_typed_into_them_go_with_the_rows_of_the_case(how):
    parts = ("schema", "description", "response")
    of_others = [f"{how}-{OTHER}-1-1-{part}" for part in parts]
    server = Server([f"{OURS}-round-1-1", *(f"{how}-{OURS}-1-1-{part}" for part in parts), *of_others])

    assert await forgotten(server) == ForgottenRun(run_id=RUN, now="shared")
    assert server.keys == of_others


async def test_rows_are_found_behind_those_of_hundreds_of_other_cases():
    of_others = [f"{slug_named('invoices', f'o{number}')}-outcome" for number in range(1200)]
    server = Server([*of_others, f"{OURS}-outcome"])

    assert await forgotten(server) == ForgottenRun(run_id=RUN, now="shared")
    assert server.keys == of_others
