"""Who asks on behalf of the scorers."""

import asyncio
from typing import Literal

import pytest

from hitl_prefect.asking import DirectAsker
from hitl_prefect.direct import draft_and_score
from hitl_prefect.drafts import request_for
from hitl_prefect.errors import ConfigError, ProviderDenied
from hitl_prefect.policy import Policy
from hitl_prefect.providers.scripted import ScriptedProvider, Step, register
from hitl_prefect.scorers import SECOND, Agreement
from tests.unit.making import a_case

CASE = a_case(answer=str)
REQUEST = request_for(CASE)
YES, NO = '{"answer": "yes", "confidence": 0.6}', '{"answer": "no", "confidence": 0.6}'


def asker(*steps, second=None):
    """An asker whose every model plays these steps."""
    provider = ScriptedProvider(steps)

    async def resolve(name):
        return provider

    return DirectAsker(REQUEST, drafted_by="scripted:one", second=second, resolve=resolve), provider


async def test_equal_questions_are_asked_once():
    """Also where they are asked at the same time."""
    asks, provider = asker(Step(text=YES, delay_s=0.01))

    first, again = await asyncio.gather(asks.ask(REQUEST), asks.ask(REQUEST, model="scripted:one"))

    assert (first, provider.calls) == (again, 1)


@pytest.mark.parametrize("other", [{"sample": 1}, {"model": "scripted:two"}])
async def test_another_sample_and_another_model_are_other_questions(other):
    asks, provider = asker(YES)

    await asks.ask(REQUEST)
    await asks.ask(REQUEST, **other)

    assert provider.calls == 2


async def test_another_answer_type_is_another_question():
    """The type is not part of a request's data, and yet the model is asked for it."""
    asks, provider = asker(YES)

    await asks.ask(REQUEST)
    await asks.ask(REQUEST.model_copy(update={"answer": bool}))

    assert provider.calls == 2


async def test_without_a_second_model_the_error_says_how_to_get_one():
    asks, _ = asker(YES)

    with pytest.raises(ConfigError, match="second_model"):
        await asks.ask(REQUEST, model=SECOND)


async def test_a_scorer_that_fails_leaves_none_and_the_reason():
    """The others do not decide alone, and the draft is not lost."""
    register("denied", [ProviderDenied("the key is wrong")])
    policy = Policy(scorers=("stated", Agreement(model="scripted:denied")))

    drafted = await draft_and_score(CASE, model=ScriptedProvider([YES]), policy=policy)

    assert (drafted.generation.answer, drafted.score.confidence) == ("yes", None)
    assert drafted.score.parts[-1].reason == "ProviderDenied: the key is wrong"


async def test_without_logprobs_the_word_of_the_model_and_a_second_model_count():
    """The default for a model that gives no token log probabilities."""
    register("other", [NO])
    case = a_case(answer=Literal["yes", "no"])

    drafted = await draft_and_score(case, model=ScriptedProvider([YES]), policy=Policy(second_model="scripted:other"))

    assert (drafted.score.combined, drafted.score.confidence) == ("mean(stated, agreement:second=scripted:other)", 0.3)


@pytest.mark.parametrize(("groups", "confidence"), [("[1, 1]", 0.8), ("[1, 2]", 0.3)])
async def test_for_free_text_the_second_model_tells_whether_both_say_the_same(groups, confidence):
    """Two sentences that mean the same are rarely equal."""
    register("words", ['{"answer": "It left on Monday.", "confidence": 0.9}', f'{{"groups": {groups}}}'])
    draft = '{"answer": "The parcel left on Monday.", "confidence": 0.6}'

    drafted = await draft_and_score(CASE, model=ScriptedProvider([draft]), policy=Policy(second_model="scripted:words"))

    assert drafted.score.combined == "mean(stated, semantic_entropy:second=scripted:words)"
    assert drafted.score.confidence == pytest.approx(confidence)


async def test_a_draft_that_fails_stops_what_was_asked_beside_it():
    """Nobody waits for it any more, and it would be paid for."""
    register("beside-failure", [Step(text=YES, delay_s=60)])
    policy = Policy(scorers=(Agreement(model="scripted:beside-failure"),))

    with pytest.raises(ProviderDenied):
        await draft_and_score(CASE, model=ScriptedProvider([Step(error="ProviderDenied", delay_s=0.01)]), policy=policy)

    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (Policy(scorers=(Agreement(model=SECOND),), second_model=None), "there is none"),
        (Policy(max_cost_usd=1), "held in flow runs only"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_before_the_model_is_asked(policy, why):
    model = ScriptedProvider([YES])

    with pytest.raises(ConfigError, match=why):
        await draft_and_score(CASE, model=model, policy=policy)

    assert model.calls == 0


class Patient(ScriptedProvider):
    """Answers once the other model has been asked."""

    other: ScriptedProvider

    async def generate(self, request, *, on_text=None):
        async with asyncio.timeout(10):
            while not self.other.calls:  # noqa: ASYNC110 - a script has no event to wait for
                await asyncio.sleep(0.001)
        return await super().generate(request, on_text=on_text)


async def test_a_second_sample_is_asked_beside_the_draft():
    """The draft is not there yet when the second model is asked: here it waits for that."""
    patient = Patient([YES])
    patient.other = register("beside", [YES])

    drafted = await draft_and_score(CASE, model=patient, policy=Policy(scorers=(Agreement(model="scripted:beside"),)))

    assert (drafted.score.confidence, patient.other.calls) == (1.0, 1)


async def test_an_answer_that_does_not_validate_costs_no_further_question():
    other = register("unasked", [YES])
    policy = Policy(scorers=("stated",), second_model="scripted:unasked")

    drafted = await draft_and_score(CASE, model=ScriptedProvider(["no JSON"]), policy=policy)

    assert (drafted.generation.status, drafted.score.confidence, other.calls) == ("invalid", None, 0)


async def test_text_arrives_as_it_is_written():
    """Each call brings all of the text so far; the last one all of it."""
    seen = []

    await draft_and_score(CASE, model=ScriptedProvider([YES]), on_text=seen.append)

    assert seen == ['{"answer":', '{"answer": "yes",', '{"answer": "yes", "confidence":', YES]
