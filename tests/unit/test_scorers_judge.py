"""Judges: one or a panel, in both orders."""

import json
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.answers import answer_type
from hitl_prefect.errors import ConfigError, ProviderUnavailable
from hitl_prefect.models import Part
from hitl_prefect.policy import Policy
from hitl_prefect.providers.scripted import Step
from hitl_prefect.scorers import Judge
from hitl_prefect.scoring import PolicyScorer
from tests.unit.seating import DRAFTER, PRICE_USD, requests_to, seated

SECOND = "anthropic:other"


def stated(verdict: str, confidence: float) -> str:
    return json.dumps({"verdict": verdict, "confidence": confidence})


def by_tokens(verdict: str, top: dict[str, float]) -> Step:
    """A verdict whose first token has these probabilities; the stated confidence says something else."""
    tokens = (
        ('{"verdict":', 0.0),
        (f' "{verdict[:3]}', log(top[verdict[:3]])),
        (f'{verdict[3:]}","confidence":0.5}}', 0),
    )
    alternatives = tuple((f' "{text}', log(probability)) for text, probability in top.items())
    return Step(text="".join(text for text, _ in tokens), tokens=tokens, top=((), alternatives))


async def look(*steps, **settings) -> Part:
    return await Judge(**settings).look(seated({SECOND: steps}, second=SECOND))


async def test_a_stated_verdict_is_averaged_over_both_orders():
    """0.9 that it is correct, and 0.7 that it is incorrect: the mean of 0.9 and 0.3."""
    found = await look(stated("correct", 0.9), stated("incorrect", 0.7))

    assert (found.name, found.reason, found.cost_usd) == ("judge:second", "second: 0.60 (0.90, 0.30)", 2 * PRICE_USD)
    assert found.confidence == pytest.approx(0.6)


async def test_the_tokens_of_the_verdict_count_more_than_the_stated_confidence():
    """0.6 out of 0.8, whatever else the judge could have written."""
    found = await look(by_tokens("correct", {"cor": 0.6, "inc": 0.2, "unk": 0.1}), swap=False)

    assert found.confidence == pytest.approx(0.75)


async def test_the_orders_differ_in_the_question_and_in_the_schema():
    sitting = seated({SECOND: [stated("correct", 0.9)]}, second=SECOND)
    await Judge().look(sitting)
    asked = requests_to(sitting, SECOND)
    schemas = [answer_type(one.answer).json_schema["properties"]["verdict"]["enum"] for one in asked]

    assert schemas == [["correct", "incorrect"], ["incorrect", "correct"]]
    assert [one.messages[0].text.count("correct or incorrect") for one in asked] == [1, 0]
    assert [one.messages[0].text.count("incorrect or correct") for one in asked] == [0, 1]


async def test_a_judge_that_always_takes_the_first_option_tells_nothing():
    """That is what both orders are for."""
    found = await look(stated("correct", 0.9), stated("incorrect", 0.9))

    assert found.confidence == pytest.approx(0.5)


async def test_a_panel_is_the_mean_of_its_judges():
    judges = {"a:one": [stated("correct", 1.0)], "b:two": [stated("incorrect", 0.8)]}
    found = await Judge(models=("a:one", "b:two"), swap=False).look(seated(judges))

    assert (found.name, found.cost_usd) == ("judge:a:one+b:two", 2 * PRICE_USD)
    assert found.reason == "a:one: 1.00 (1.00); b:two: 0.20 (0.20)"
    assert found.confidence == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (ProviderUnavailable("overloaded"), "ProviderUnavailable: overloaded"),
        (Step(text="I would rather not.", refusal=True), "gave no verdict with a probability"),
        ('{"verdict": "fine", "confidence": 1}', "gave no verdict with a probability"),
        ('{"verdict": "correct"}', "gave no verdict with a probability"),
        (Step(text=stated("correct", 1), truncated=True), "gave no verdict with a probability"),
    ],
)
async def test_a_judge_that_fails_leaves_no_confidence_and_the_word_of_the_others(step, reason):
    judges = {"a:one": [stated("correct", 1.0)], "b:two": [step]}
    found = await Judge(models=("a:one", "b:two"), swap=False).look(seated(judges))

    assert (found.confidence, found.reason) == (None, f"a:one: 1.00 (1.00); b:two: {reason}")


async def test_a_verdict_in_one_order_alone_is_no_verdict():
    """It might only show which option the judge saw first."""
    found = await look(stated("correct", 1.0), Step(text="", refusal=True))

    assert (found.confidence, found.reason) == (None, "second: gave no verdict with a probability")


async def test_without_a_second_model_there_is_no_judge():
    """In a policy that is refused before; on its own it is a part without a confidence."""
    with pytest.raises(ConfigError, match="there is no second model"):
        await Judge().look(seated({SECOND: ["-"]}))

    sitting = seated({SECOND: ["-"]})
    found = await PolicyScorer(Policy(scorers=("judge",)), sitting.asker).score(sitting.case, sitting.generation)

    assert found.confidence is None
    assert found.parts[-1].reason.startswith("ConfigError: there is no second model")


async def test_the_drafting_model_can_be_named_as_its_own_judge():
    assert (await Judge(models=(DRAFTER,)).look(seated([stated("correct", 0.9)]))).confidence == pytest.approx(0.9)


PROBABILITIES = st.floats(0, 1)


@given(st.lists(st.tuples(st.sampled_from(["correct", "incorrect"]), PROBABILITIES), min_size=1, max_size=4))
async def test_whatever_the_judges_state_is_a_probability(verdicts):
    judges = {f"j:{number}": [stated(*verdict)] for number, verdict in enumerate(verdicts)}
    found = await Judge(models=tuple(judges), swap=False).look(seated(judges))

    assert 0 <= found.confidence <= 1
