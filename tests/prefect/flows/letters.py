"""A flow whose answer is one text."""

from prefect import flow

from hitl_prefect import Outcome, Policy, resolve_case


@flow
def answer_letter(letter: str, store: str, policy: Policy, model: str) -> Outcome[str]:
    return resolve_case(
        f"Answer this letter politely.\n\n{letter}", answer=str, model=model, task="letters", policy=policy, store=store
    )
