"""Agreement and semantic entropy: what further answers tell."""

import json
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Part
from hitl_prefect.policy import Policy
from hitl_prefect.providers.scripted import Step
from hitl_prefect.scorers import Agreement, SemanticEntropy
from hitl_prefect.scorers.clusters import concentration
from hitl_prefect.scoring import PolicyScorer
from tests.unit.making import a_case
from tests.unit.seating import DRAFTER, PRICE_USD, requests_to, seated

REFUSED = Step(text="No.", refusal=True)


def say(*answers: object) -> list[str]:
    return [json.dumps({"answer": answer, "confidence": 0.5}) for answer in answers]


async def test_semantic_entropy_of_hand_counted_meanings():
    """Of 4 answers 3 say Paris: H = -(3/4 ln 3/4 + 1/4 ln 1/4) = 0.5623, and ln 4 = 1.3863."""
    found = await SemanticEntropy(samples=3).look(seated(say("paris.", "Lyon", "PARIS"), "Paris"))

    assert found == Part(
        name="semantic_entropy",
        confidence=1 + (0.75 * log(0.75) + 0.25 * log(0.25)) / log(4),
        reason="meanings: 2, in 4 answers; as the draft: 3",
        cost_usd=3 * PRICE_USD,
    )
    assert found.confidence == pytest.approx(0.594361, abs=1e-6)


@pytest.mark.parametrize(("samples", "confidence"), [(("Paris",) * 5, 1.0), (("a", "b", "c", "d", "e"), 0.0)])
async def test_one_meaning_is_sure_and_as_many_as_answers_is_not(samples, confidence):
    assert (await SemanticEntropy().look(seated(say(*samples)))).confidence == confidence


async def test_refused_and_invalid_samples_are_meanings_of_their_own():
    """Also where `None` is a valid answer: two refusals do not agree with it, nor with each other."""
    case = a_case(answer=str | None)
    entropy = await SemanticEntropy(samples=2).look(seated([REFUSED, "no JSON"], None, case=case))
    agreement = await Agreement(samples=2).look(seated([REFUSED, *say(None)], None, case=case))

    assert (entropy.confidence, entropy.reason) == (0.0, "meanings: 3, in 3 answers; as the draft: 1")
    assert agreement.confidence == 0.5


async def test_agreement_and_entropy_look_at_the_same_samples():
    """Five samples are asked for and paid for once; the costs of the parts add up to what was spent."""
    sitting = seated(say("Paris", "Paris", "Lyon", "Paris", "Paris"))
    policy = Policy(scorers=("semantic_entropy", Agreement(samples=3)))
    scorer = PolicyScorer(policy, sitting.asker)
    await scorer.ahead(sitting.case)
    found = await scorer.score(sitting.case, sitting.generation)

    assert len(requests_to(sitting)) == 5
    assert found.cost_usd == 5 * PRICE_USD
    assert {part.name: part.cost_usd for part in found.parts[-2:]} == {
        "semantic_entropy": 5 * PRICE_USD,
        "agreement": 0.0,
    }


async def test_samples_are_asked_for_as_the_draft_was():
    """Only the token log probabilities, which nobody reads, are left out."""
    sitting = seated(say("Paris"))
    await SemanticEntropy(samples=2).look(sitting)
    draft = sitting.asker.request

    assert requests_to(sitting) == [draft.model_copy(update={"logprobs": False})] * 2


async def test_a_model_groups_what_equality_cannot():
    """Of the answers it is shown each distinct one once."""
    replies = [*say("The capital is Paris", "Paris.", "Lyon"), '{"groups": [1, 1, 2]}']
    sitting = seated(replies)
    found = await SemanticEntropy(samples=3, equivalence="model").look(sitting)
    question = requests_to(sitting)[-1].messages[0].text

    assert found.reason == "meanings: 2, in 4 answers; as the draft: 3"
    assert found.cost_usd == 4 * PRICE_USD
    assert [question.count(answer) for answer in ("\nParis\n", "\nParis.\n", "\nLyon\n", "is Paris\n")] == [1, 0, 1, 1]


async def test_equal_answers_need_no_grouping():
    sitting = seated(say("Paris"))

    assert (await SemanticEntropy(samples=2, equivalence="model").look(sitting)).confidence == 1.0
    assert len(requests_to(sitting)) == 2


@pytest.mark.parametrize("groups", ["[1]", "[1, 2, 3]", "[0, 1]", "[1, 3]", '["a", "b"]', "no list"])
async def test_groups_that_do_not_fit_leave_no_confidence(groups):
    replies = [*say("Lyon"), f'{{"groups": {groups}}}']
    found = await SemanticEntropy(samples=1, equivalence="model").look(seated(replies))

    assert found == Part(
        name="semantic_entropy",
        confidence=None,
        reason="the model that was to group the answers gave no group for each of them",
        cost_usd=2 * PRICE_USD,
    )


async def test_another_model_can_group():
    sitting = seated({DRAFTER: say("Lyon"), "openai:other": ['{"groups": [1, 1]}']})
    scorer = SemanticEntropy(samples=1, equivalence="model", grouped_by="openai:other")

    assert scorer.models == (None, "openai:other")
    assert (await scorer.look(sitting)).confidence == 1.0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9).filter(lambda counts: sum(counts) > 1))
def test_concentration_is_a_share_and_full_only_for_one_meaning(counts):
    found = concentration(counts)

    assert 0 <= found <= 1
    assert (found == 1) == (len(counts) == 1)
    assert (found == 0) == (set(counts) == {1})


@given(st.integers(1, 9), st.lists(st.integers(1, 9), min_size=1, max_size=8), st.data())
def test_one_more_answer_like_the_most_never_lowers_the_concentration(most, others, data):
    """In place of one that says something else."""
    others = [min(most, count) for count in others]
    place = data.draw(st.integers(0, len(others) - 1))
    fewer = [count - (number == place) for number, count in enumerate(others)]

    before, after = [most, *others], [most + 1, *(count for count in fewer if count)]

    assert concentration(after) >= concentration(before) - 1e-12


@pytest.mark.parametrize("agreeing", range(6))
async def test_agreement_is_the_share_of_samples_that_say_the_same(agreeing):
    """So one more never lowers it."""
    replies = say(*["Paris"] * agreeing, *["Lyon", "Nice", "Metz", "Lille", "Brest"][agreeing:])
    found = await Agreement(samples=5).look(seated(replies))

    assert found == Part(
        name="agreement",
        confidence=agreeing / 5,
        reason=f"{agreeing} of 5 say the same",
        cost_usd=5 * PRICE_USD,
    )


async def test_variants_are_asked_in_their_own_words():
    case = a_case(prompt="Capital of France?", variants=("Which town governs France?", "France's capital?"))
    sitting = seated(say("Paris", "Lyon"), case=case)
    found = await Agreement(variants=True).look(sitting)

    assert (found.name, found.confidence) == ("agreement:variants", 0.5)
    assert [one.messages[0].text for one in requests_to(sitting)] == list(case.variants)


async def test_a_case_without_variants_cannot_be_asked_in_other_words():
    with pytest.raises(ConfigError, match="the case has no variants"):
        await Agreement(variants=True).look(seated(say("Paris")))
