"""Examples before a prompt, in flow runs."""

from datetime import timedelta
from pathlib import Path

from prefect.flows import load_flow_from_entrypoint

from hitl_prefect import prompting
from hitl_prefect.evidence import prompt_name
from hitl_prefect.example_sets import ExampleSet, Reviewed, Trial, newest_set, put_set
from hitl_prefect.outcomes import Outcome, outcome_key
from hitl_prefect.providers.scripted import register
from hitl_prefect.stores import store_for
from tests.prefect.flows.examples import with_earlier_cases
from tests.unit.labels import a_labelled_outcome
from tests.unit.making import NOON, a_review, a_verdict

WON = Trial(agreed_both=0, only_with=9, only_without=0, agreed_neither=0, unanswered=0)
ASKED = "Where is the parcel that I sent?"
SHOWN = (("Our parcel came broken.", "R-9"), ("A parcel for Kent?", "D-2"))


def a_set(number: int, earlier: tuple[str, str]) -> ExampleSet:
    prompt, answer = earlier
    reviewed = (Reviewed(case_id="e1", prompt=prompt, answer=answer),)
    facts = {"task": "mail", "model": "scripted:mail", "k": 1, "max_tokens": 500}
    return ExampleSet(number=number, trial=WON, reviewed=reviewed, **facts)


def test_a_case_is_shown_examples_and_stays_the_same_case_when_a_newer_set_comes(resident):
    """The third run finds the outcome of the first, though its prompt holds other examples."""
    asked, store = register("mail", ['{"answer": "D-2", "confidence": 0.95}']), store_for(resident.store)
    runs = []
    for number, case in enumerate(("mail-1", "mail-2", "mail-1"), start=1):
        if number < 3:
            put_set(store, a_set(number, SHOWN[number - 1]))
            prompting._known.clear()
        facts = {"policy": {"min_confidence": 0.1}, "model": "scripted:mail", "case_id": case}
        runs.append(resident.start(with_earlier_cases, document=ASKED, **facts))

    assert [resident.state(run) for run in runs] == ["Completed"] * 3
    assert [[one.text for one in request.messages[1:]] for request in asked.requests] == [
        [prompt, f'{{"answer": "{answer}"}}', ASKED] for prompt, answer in SHOWN
    ]
    stored = [Outcome.model_validate(one) for run in runs for one in resident.outcomes(run)]
    assert len({prompt_name(one.case) for one in stored}) == len(stored) == 2


def test_a_trial_runs_as_a_flow_and_keeps_what_was_tried(resident, tmp_path):
    """A model that always says the same gains nothing by examples."""
    store = store_for(f"folder:{tmp_path}")
    for number in range(60):
        outcome = a_labelled_outcome(number)
        read = a_verdict(answer=outcome.final_answer, opened_at=NOON - timedelta(minutes=5))
        outcome = outcome.model_copy(update={"review": a_review(read)})
        store.put_once(outcome_key(outcome), outcome.stored)
    asked = register("constant", ['{"answer": "refund", "confidence": 0.9}'])
    flow = load_flow_from_entrypoint(f"{Path(__file__).parents[2]}/flows/try_examples.py:try_earlier_cases")
    run = resident.start(
        flow, task="support", model="scripted:constant", store=store.url, choices=["refund", "delivery"]
    )
    found = newest_set(store, "support", "scripted:constant")

    assert resident.state(run) == "Completed"
    assert (found.trial.wins, found.trial.only_with, 2 * found.trial.asked) == (False, 0, len(asked.requests))
