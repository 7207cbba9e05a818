"""Label a file of cases in rounds: people are asked where a label teaches most, until there are enough."""

from typing import Literal

from prefect import flow

from hitl_prefect import LabelPlan, LabelRound, Policy, label_round

ANYBODY = Policy()
PLAN = LabelPlan()


@flow(name="label-in-rounds")
def label_in_rounds(
    source: str,
    choices: tuple[str, ...] = (),
    instructions: str = "",
    task: str = "support",
    store: str = "outcomes",
    plan: LabelPlan = PLAN,
    policy: Policy = ANYBODY,
    work_pool: str = "hitl-reviews",
) -> LabelRound:
    """Schedule it every hour: it opens the next round once the last one is answered, and does nothing before that.

    Args:
        source: Path or `s3://` URL of JSONL, CSV or Parquet.
        choices: The labels to choose from; none means any text.
        instructions: What people are asked about each case.
        task: What kind of cases these are.
        store: `folder:` path, `s3://` URL, or the name of a saved store block.
        plan: Forms per round, the target, and the share drawn at random.
        policy: Who is asked.
        work_pool: Where reviews go on once somebody has answered.
    """
    return label_round(
        source,
        answer=Literal[choices] if choices else str,
        instructions=instructions,
        task=task,
        store=store,
        plan=plan,
        policy=policy,
        work_pool=work_pool,
    )


if __name__ == "__main__":
    label_in_rounds.serve(name="label-in-rounds", limit=1)
