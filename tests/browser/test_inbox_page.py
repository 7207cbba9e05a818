"""From the inbox in the Prefect UI to the form, in both UIs."""

from tests.browser.pages import V1Form, V2Form
from tests.browser.pictures import picture
from tests.prefect.flows.invoices import extract_invoice

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
PEOPLE = {"error_cost": "total", "reviewers": ["ada", "bob"], "on_deadline": "reject", "deadline_s": 86400}


def test_a_person_finds_a_case_in_the_inbox_and_opens_its_form(resident, document, ui, tmp_path):
    """The row names the case and why it waits; its link leads to the run whose form it is."""
    run = resident.start(extract_invoice, document=document, policy=PEOPLE, model=resident.drafting(DRAFT))
    row = row_of(run, ui)
    shown = row.inner_text()
    picture(ui, "inbox", tmp_path)
    link = row.get_by_role("link", name="Open the form")
    link.click(trial=True)  # nothing lies above it; the older UI opens it elsewhere
    ui.page.goto(link.get_attribute("href"))
    V2Form(ui.page, ui.ui_url)._press_resume()  # where the link leads from either

    assert ("There is no bar yet" in shown, "5.00" in shown, "ada" in shown) == (True, True, True)
    assert ui.page.url.partition("?")[0] == f"{ui.ui_url}/v2/runs/flow-run/{run}"


def row_of(run, ui):
    """The case's row on the page behind the address that never changes."""
    old = isinstance(ui, V1Form)
    ui.page.goto(f"{ui.ui_url}{'' if old else '/v2'}/artifacts/key/hitl-inbox")
    row = ui.page.get_by_role("row").filter(has_text=run)
    version = ui.page.locator("a[href*='/artifacts/artifact/']").first
    version.or_(row).first.wait_for()
    if not row.count():
        version.click()
    row.wait_for()
    return row
