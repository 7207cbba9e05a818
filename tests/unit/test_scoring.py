import pytest

from hitl_prefect.errors import ConfigError
from hitl_prefect.hedging import hedges, hedging_confidence
from hitl_prefect.models import LogprobSummary, Part
from hitl_prefect.policy import Policy
from hitl_prefect.scorers import READING
from hitl_prefect.scoring import PolicyScorer, check_scorers
from tests.unit.making import a_case, a_generation

TOKENS = LogprobSummary(mean=0.9, minimum=0.3, decision=0.7, tokens=9)


async def scored(policy=None, **generation):
    return await PolicyScorer(policy or Policy()).score(a_case(), a_generation(**generation))


@pytest.mark.parametrize(
    ("generation", "combined", "confidence"),
    [
        ({"stated_confidence": 0.6}, "stated", 0.6),
        ({"stated_confidence": 0.6, "logprobs": TOKENS}, "logprob_decision", 0.7),
        ({"stated_confidence": 0.6, "logprobs": TOKENS.model_copy(update={"decision": None})}, "logprob", 0.9),
        ({"probability": 0.4, "stated_confidence": 0.6}, "probability", 0.4),
        ({}, "stated", None),
    ],
)
async def test_without_names_the_best_scorer_that_has_a_confidence_counts(generation, combined, confidence):
    """A classifier's own probability, then the tokens, then the model's word."""
    found = await scored(**generation)

    assert (found.combined, found.confidence) == (combined, confidence)


@pytest.mark.parametrize(("combine", "confidence"), [("min", 0.5), ("mean", 0.6), ("product", 0.35)])
async def test_named_scorers_are_combined_as_declared(combine, confidence):
    """The policy says how."""
    policy = Policy(scorers=("stated", "logprob_decision"), combine=combine)

    assert (await scored(policy, stated_confidence=0.5, logprobs=TOKENS)).confidence == pytest.approx(confidence)


async def test_a_named_scorer_without_a_confidence_leaves_none():
    """A control that cannot be honoured is not skipped: the others do not decide alone."""
    policy = Policy(scorers=("stated", "logprob"))

    assert (await scored(policy, stated_confidence=0.99)).confidence is None


async def test_an_answer_that_is_not_valid_has_no_confidence():
    """However sure the model says it is."""
    assert (await scored(status="invalid", answer=None, stated_confidence=0.99)).confidence is None


async def test_every_scorer_speaks_and_says_why_it_has_nothing():
    """Each part has a confidence or a reason."""
    parts = (await scored()).parts

    assert [part.name for part in parts] == list(READING)
    assert all(part.confidence is not None or part.reason for part in parts)


def test_the_least_sure_field_is_the_confidence_of_the_fields():
    """Fields that the answer does not have are not shown as its fields."""
    logprobs = TOKENS.model_copy(update={"fields": {"vendor": 0.9, "total": 0.6, "extra": 0.5}})
    found = READING["logprob_fields"](a_case(), a_generation(answer={"vendor": "ACME", "total": 3}, logprobs=logprobs))

    assert found == Part(name="logprob_fields", confidence=0.5, fields={"vendor": 0.9, "total": 0.6})


def test_a_bare_answer_has_a_confidence_and_no_fields():
    """Its only field is the wrapping."""
    logprobs = TOKENS.model_copy(update={"fields": {"answer": 0.9}})
    found = READING["logprob_fields"](a_case(), a_generation(answer="refund", logprobs=logprobs))

    assert found == Part(name="logprob_fields", confidence=0.9)


def test_hedging_counts_whole_words_in_any_case():
    """`might` counts, `mighty` does not."""
    assert hedges("MAYBE the mighty vendor might pay") == ["maybe", "might"]
    assert hedging_confidence("maybe, I think") == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("provider", "scorer"), [("anthropic", "logprob"), ("openai", "probability"), ("embedded", "stated")]
)
def test_a_policy_that_counts_on_what_a_provider_never_gives_is_refused(provider, scorer):
    """Every case would go to a person, silently."""
    with pytest.raises(ConfigError, match=f"'{scorer}', which {provider} never gives"):
        check_scorers(Policy(scorers=(scorer,)), provider)
