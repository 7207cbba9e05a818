"""Code one claim with a codebook: the model answers, a person decides where it is unsure, the outcome is stored."""

from typing import Literal

from prefect import flow
from pydantic import create_model

from hitl_prefect import Outcome, Policy, resolve_case


@flow(name="code-claim")
def code_claim(
    prompt: str,
    codes: tuple[str, ...],
    themes: tuple[str, ...],
    model: str,
    store: str,
    policy: Policy,
    case_id: str,
) -> Outcome:
    """Assign one code and its theme, and keep the outcome."""
    return resolve_case(
        prompt,
        answer=create_model("Coded", code=(Literal[codes], ...), theme=(Literal[themes], ...)),
        model=model,
        task="coding",
        policy=policy,
        store=store,
        case_id=case_id,
    )


if __name__ == "__main__":
    code_claim.serve(name="code-claim", limit=4)
