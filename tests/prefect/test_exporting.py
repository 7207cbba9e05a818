"""From what a person decided in a flow run to a file that a model is trained on."""

import json
from pathlib import Path

from prefect.flows import load_flow_from_entrypoint

from tests.prefect.flows.invoices import extract_invoice

ROOT = Path(__file__).parents[2]
DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
EDITED = {**DRAFT, "total": 13.0}


def test_the_flow_writes_a_new_folder_with_what_was_corrected(resident, document, tmp_path):
    store, flow = f"folder:{tmp_path}/outcomes", f"{ROOT}/flows/export_training.py:export_for_training"
    reviewed = resident.start(
        extract_invoice, document=document, policy={"min_confidence": 0.9}, model=resident.drafting(DRAFT), store=store
    )
    resident.answer(reviewed, decision="edit", answer=EDITED, reviewer="ada")
    assert resident.go_on(reviewed) == "Completed"
    facts = {"task": "invoices", "file_format": "trl-dpo", "out": f"{tmp_path}/training", "holdout": 0}
    run = resident.start(load_flow_from_entrypoint(flow), store=store, **facts)

    assert resident.state(run) == "Completed"
    (written,) = (tmp_path / "training" / "invoices").glob("*/train.jsonl")
    row = json.loads(written.read_text("utf-8"))
    assert [json.loads(row[name][0]["content"]) for name in ("chosen", "rejected")] == [EDITED, DRAFT]
