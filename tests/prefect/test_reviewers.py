"""From what people said in flow runs to the artifact that shows how they review."""

from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint

from tests.prefect.flows.invoices import extract_invoice

ROOT = Path(__file__).parents[2]
DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}


@pytest.fixture
def probed(resident, document, tmp_path):
    """A store with one outcome, whose review began with a seeded draft that was let pass."""
    store = f"folder:{tmp_path}"
    policy, model = {"probes": {"seeded": 1}}, resident.drafting(DRAFT)
    run_id = resident.start(extract_invoice, document=document, policy=policy, model=model, store=store)
    for _ in range(2):
        resident.answer(run_id, decision="approve", reviewer="ada")
        assert resident.go_on(run_id) in ("Suspended", "Completed")
    return store


def test_the_scheduled_flow_shows_the_report_as_an_artifact(resident, probed):
    """The mistake that was let pass is counted against the name that was typed."""
    flow = load_flow_from_entrypoint(f"{ROOT}/flows/report_reviewers.py:report_on_reviewers")
    run_id = resident.start(flow, store=probed)
    artifact = resident.api.get("/artifacts/hitl-reviewers/latest").json()

    assert (resident.state(run_id), artifact["flow_run_id"], artifact["type"]) == ("Completed", run_id, "markdown")
    assert "1 outcome: 0 by the model alone, 1 by people, 0 by the deadline." in artifact["data"]
    assert "| ` ada ` | invoices | 0 of 1 | 0.00 to 0.79 | 0 | - | - | - |" in artifact["data"]
