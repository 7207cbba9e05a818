"""Resolve a file of cases: the model answers all, and what it is unsure of waits for people in runs of its own."""

from typing import Literal

from prefect import flow

from hitl_prefect import BatchSummary, Policy, resolve_cases

BAR = Policy(min_confidence=0.8)


@flow(name="resolve-batch")
def resolve_batch(
    source: str,
    instructions: str = "",
    choices: tuple[str, ...] = (),
    task: str = "support",
    model: str = "embedded:support",
    store: str = "outcomes",
    policy: Policy = BAR,
    batch: str | None = None,
    chunk: int = 200,
    in_flight: int = 64,
    set_aside: str | None = None,
    work_pool: str = "hitl-reviews",
    dry_run: bool = False,
) -> BatchSummary:
    """Answer a file of prompts and keep the outcomes; started again, it goes on where it was.

    Args:
        source: Path or `s3://` URL of JSONL, CSV or Parquet.
        instructions: The system prompt of all cases.
        choices: The answers to choose from; none means free text.
        task: What kind of cases these are.
        model: `provider:name`, or the name of a saved model block.
        store: `folder:` path, `s3://` URL, or the name of a saved store block.
        policy: When a person is asked, how many a day, and whether one form answers many.
        batch: Names the batch; its cases do if empty.
        chunk: Cases per task.
        in_flight: Cases under way at once.
        set_aside: The file for lines that tell no case.
        work_pool: Where reviews go on once somebody has answered.
        dry_run: Ask nobody, and say what it would cost.
    """
    return resolve_cases(
        source,
        instructions=instructions,
        answer=Literal[choices] if choices else str,
        task=task,
        model=model,
        store=store,
        policy=policy,
        batch=batch,
        chunk=chunk,
        in_flight=in_flight,
        set_aside=set_aside,
        work_pool=work_pool,
        dry_run=dry_run,
    )


if __name__ == "__main__":
    # One at a time: a batch has many cases under way by itself.
    resolve_batch.serve(name="resolve-batch", limit=1)
