"""From the inbox in the Prefect UI to the form, in both UIs."""

import os
from pathlib import Path

from tests.browser.pages import V1Form, V2Form
from tests.prefect.flows.invoices import extract_invoice

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
PEOPLE = {"error_cost": "total", "reviewers": ["ada", "bob"], "on_deadline": "reject", "deadline_s": 86400}


def test_a_person_finds_a_case_in_the_inbox_and_opens_its_form(resident, document, ui, tmp_path):
    """The row names the case and why it waits; its link leads to the run whose form it is."""
    run = resident.start(extract_invoice, document=document, policy=PEOPLE, model=resident.drafting(DRAFT))
    prefix = "" if isinstance(ui, V1Form) else "/v2"
    ui.page.goto(f"{ui.ui_url}{prefix}/artifacts/key/hitl-inbox")
    row = ui.page.get_by_role("row").filter(has_text=run)
    row.wait_for()
    shown = row.inner_text()
    _picture(ui, tmp_path)
    row.get_by_role("link", name="Open the form").click()
    ui.page.get_by_text(f"Review: invoices · case {run}").first.wait_for()
    form = V2Form(ui.page, ui.ui_url)  # where the link leads from either
    form._press_resume()
    form.field("Decision").wait_for()

    assert ("There is no bar yet" in shown, "5.00" in shown, "ada" in shown) == (True, True, True)
    assert ui.page.url == f"{ui.ui_url}/v2/runs/flow-run/{run}"


def _picture(ui, folder):
    """`HITL_KEEP_SCREENSHOTS=1` (`make screenshots`) puts the newer UI's into the docs."""
    keep = os.environ.get("HITL_KEEP_SCREENSHOTS") == "1" and not isinstance(ui, V1Form)
    ui.page.screenshot(path=(IMAGES if keep else folder) / "inbox.png")
