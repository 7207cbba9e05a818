"""The scheduled flows that read all outcomes: the report on trust, the nightly copy into Parquet, and the ledger."""

from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint

from hitl_prefect.manifests import read_chain
from hitl_prefect.outcomes import outcome_key
from hitl_prefect.stores import FolderStore
from tests.unit.making import an_outcome

FLOWS = Path(__file__).parents[2] / "flows"


@pytest.fixture
def store(tmp_path):
    """One accepted case."""
    store, outcome = FolderStore(tmp_path), an_outcome()
    store.put_once(outcome_key(outcome), outcome.stored)
    return store


def test_the_report_on_trust_is_an_artifact(resident, store):
    flow = load_flow_from_entrypoint(f"{FLOWS}/report_trust.py:report_on_trust")
    run_id = resident.start(flow, store=store.url)
    artifact = resident.api.get("/artifacts/hitl-trust/latest").json()

    assert (resident.state(run_id), artifact["flow_run_id"], artifact["type"]) == ("Completed", run_id, "markdown")
    assert "1 outcome from 2026-01-02 to 2026-01-02: 1 of them accepted without a review" in artifact["data"]


def test_the_nightly_flow_copies_past_days_and_says_where(resident, store, caplog):
    flow = load_flow_from_entrypoint(f"{FLOWS}/compact_outcomes.py:compact_past_days")
    run_id = resident.start(flow, store=store.url)
    (key,) = store.keys("parquet/")

    assert resident.state(run_id) == "Completed"
    assert f"invoices, 2026-01-02: copied 1 into {key}" in caplog.messages


def test_the_nightly_flow_seals_past_days_and_says_the_head(resident, store, caplog):
    flow = load_flow_from_entrypoint(f"{FLOWS}/seal_outcomes.py:seal_past_days")
    run_id = resident.start(flow, store=store.url)
    (link,) = read_chain(store, "invoices")

    assert resident.state(run_id) == "Completed"
    assert f"invoices, 2026-01-02: sealed 1, head {link.sha256}" in caplog.messages
