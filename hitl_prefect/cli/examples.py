"""`hitl examples`."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from hitl_prefect.answer_names import answer_named
from hitl_prefect.cli.printing import AsJson, print_json, say, say_aside
from hitl_prefect.errors import ConfigError
from hitl_prefect.example_sets import ExampleSet, set_key
from hitl_prefect.example_trials import ExamplePlan, aplan_examples, atry_examples
from hitl_prefect.inert import visible
from hitl_prefect.shares import Share, counted

__all__ = ["examples"]


async def examples(
    store: str,
    *,
    task: str,
    model: str,
    choice: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    answer: str | None = None,
    k: int = 8,
    max_tokens: int = 2000,
    most: int = 200,
    yes: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
) -> int:
    """Try whether a model answers better when it is shown earlier cases as people decided them.

    Args:
        store: Where the outcomes are: folder: path, s3:// URL, or the name of a saved block.
        task: Whose outcomes.
        model: Who is asked, as the flow names it: provider:name, or the name of a saved block.
        choice: An answer to choose from; repeat it.
        answer: The type of the answers, as module:Name. Neither this nor choices means free text.
        k: How many examples are shown at most.
        max_tokens: The most that they may take together.
        most: At most so many cases are tried on, with two calls each.
        yes: Ask the model. Without it nobody is asked: how many calls it would take is told.
        json: Print JSON.
    """
    plan = await aplan_examples(store, task=task, answer=_type(choice, answer), most=most)
    if not yes:
        _tell_plan(plan, model, json=json)
        return 0
    say_aside(f"Asking {visible(model)} {plan.calls:,} times …")
    found = await atry_examples(plan, model=model, k=k, max_tokens=max_tokens)
    if json:
        trial = {**found.trial.model_dump(), "p_value": found.trial.p_value, "wins": found.trial.wins}
        print_json({"key": set_key(task, found.number), **trial})
    else:
        _tell(found)
    return 0


def _type(choices: tuple[str, ...], answer: str | None) -> Any:
    if choices and answer:
        raise ConfigError("give choices (--choice) or the type of the answers (--answer), not both")
    return answer_named(answer) if answer else Literal[choices] if choices else str


def _tell_plan(plan: ExamplePlan, model: str, *, json: bool) -> None:
    shown, held_out = len(plan.reviewed), len(plan.held_out)
    if json:
        print_json({"calls": plan.calls, "examples": shown, "held_out": held_out, "unfit": plan.unfit})
        return
    say(f"{counted(shown, 'reviewed case')} to choose examples from, {counted(held_out, 'other')} to try on.")
    say(f"It would ask {visible(model)} {plan.calls:,} times. Nobody was asked yet: add --yes to go on.")


def _tell(found: ExampleSet) -> None:
    trial = found.trial
    with_, without = (trial.agreed_both + more for more in (trial.only_with, trial.only_without))
    say(f"As people decided, with examples: {Share(hits=with_, of=trial.asked).told()}")
    say(f"Without: {Share(hits=without, of=trial.asked).told()}")
    if trial.unanswered:
        say(f"Not counted: {counted(trial.unanswered, 'case')} where the model could not be asked.")
    ends = "they are shown from now on" if trial.wins else "they are not shown"
    told = f"Right with examples alone {trial.only_with:,}, without alone {trial.only_without:,}"
    say(f"{told}: p = {trial.p_value:.3f}, so {ends}.")
    say(f"Stored as {set_key(found.task, found.number)}.")
