"""A flow that shows its model earlier cases where they have won."""

from prefect import flow

from hitl_prefect import Policy, resolve_case, with_examples


@flow
def with_earlier_cases(document: str, store: str, policy: Policy, model: str, case_id: str) -> None:
    prompt = with_examples(document, store=store, task="mail", model=model)
    resolve_case(prompt, model=model, task="mail", policy=policy, store=store, case_id=case_id)
