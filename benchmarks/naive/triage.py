"""A review as Prefect's documentation shows it: a served flow asks the model, suspends for input, and stores."""

import json
from pathlib import Path
from typing import Literal

from openai import OpenAI
from prefect import flow, suspend_flow_run, task
from prefect.input import RunInput


class Verdict(RunInput):
    """What a person types."""

    decision: Literal["approve", "reject"]
    answer: str


@task(persist_result=True)
def ask(prompt: str) -> str:
    """One call; its result is kept, so that a resumed run does not ask again."""
    reply = OpenAI(max_retries=0).chat.completions.create(
        model="fast", messages=[{"role": "user", "content": prompt}], logprobs=True
    )
    return str(json.loads(reply.choices[0].message.content or "")["answer"])


@task
def save(outcomes: str, case_id: str, verdict: dict[str, str]) -> None:
    """One file per case."""
    folder = Path(outcomes)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case_id}.json").write_text(json.dumps({"case": case_id, **verdict}))


@flow(name="naive-triage", persist_result=True)
def triage(case_id: str, prompt: str, outcomes: str) -> None:
    """Ask, wait for a person, store."""
    answer = ask(prompt)
    verdict = suspend_flow_run(wait_for_input=Verdict.with_initial_data(description=answer, answer=answer))
    save(outcomes, case_id, verdict.model_dump())


if __name__ == "__main__":
    triage.serve(name="naive")
