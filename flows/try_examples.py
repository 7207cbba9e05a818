"""Try whether a model answers better when it is shown earlier cases, and keep what was tried for `with_examples`."""

from typing import Literal

from prefect import flow, get_run_logger

from hitl_prefect.example_trials import plan_examples, try_examples


@flow(name="try-examples")
def try_earlier_cases(
    task: str, model: str, store: str = "outcomes", choices: tuple[str, ...] = (), most: int = 200
) -> bool:
    """Asks the model twice about each case that is kept to try on. Start it by hand: tried often, chance wins at last.

    Args:
        task: Whose outcomes.
        model: Who is asked, as the flows name it: `provider:name`, or the name of a saved block.
        store: Where the outcomes are: `folder:` path, `s3://` URL, or the name of a saved store block.
        choices: The answers to choose from; none means any text.
        most: At most so many cases are tried on.

    Returns:
        Whether examples won, so that they are shown from now on.
    """
    plan = plan_examples(store, task=task, answer=Literal[choices] if choices else str, most=most)
    get_run_logger().info("%s: asking %s %d times", task, model, plan.calls)
    trial = try_examples(plan, model=model).trial
    told = "%s: right with examples alone %d, without alone %d, p = %.3f"
    get_run_logger().info(told, task, trial.only_with, trial.only_without, trial.p_value)
    return trial.wins


if __name__ == "__main__":
    try_earlier_cases.serve(name="try-examples")
