"""A flow that names its runs itself, and the cases that it resolves."""

from prefect import flow

from hitl_prefect import Outcome, Policy, resolve_case
from tests.prefect.flows.invoices import Invoice


@flow(flow_run_name="mine")
def named_invoice(
    document: str, store: str, policy: Policy, model: str, case_id: str | None = None, task: str = "invoices"
) -> Outcome[Invoice]:
    return resolve_case(document, answer=Invoice, model=model, task=task, policy=policy, store=store, case_id=case_id)
