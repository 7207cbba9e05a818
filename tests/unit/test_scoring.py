import asyncio
import re

import pytest
from pydantic import BaseModel, ValidationError

from hitl_prefect.errors import BudgetSpent, ConfigError, ProviderUnavailable
from hitl_prefect.hedging import hedges, hedging_confidence
from hitl_prefect.models import LogprobSummary, Part
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Scorer
from hitl_prefect.providers.scripted import ScriptedProvider, Step
from hitl_prefect.scorer_checks import check_agreement, check_scorers, models_asked
from hitl_prefect.scorers import ONLY_WHERE_NAMED, READING, Agreement, Decisions, Judge, PTrue, SemanticEntropy
from hitl_prefect.scoring import PolicyScorer
from tests.unit.making import a_case, a_generation
from tests.unit.seating import ScriptedDecider, at_table

TOKENS = LogprobSummary(mean=0.9, minimum=0.3, decision=0.7, tokens=9)


async def scored(policy=None, *, answer=dict[str, float], **generation):
    return await PolicyScorer(policy or Policy()).score(a_case(answer=answer), a_generation(**generation))


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


async def test_for_free_text_all_tokens_count_and_not_the_first_word():
    """How likely a sentence begins as it does says little of it."""
    found = await scored(answer=str, stated_confidence=0.6, logprobs=TOKENS)

    assert (found.combined, found.confidence) == ("logprob", 0.9)


@pytest.mark.parametrize("name", [*READING, "agreement", "semantic_entropy", "p_true", "judge", "decisions"])
async def test_every_scorer_keeps_the_one_protocol(name):
    """Alone in a policy it is a scorer; what it cannot tell it gives a reason for, here that nobody can be asked."""
    scorer: Scorer = PolicyScorer(Policy.model_validate({"scorers": [name]}))
    found = await scorer.score(a_case(), a_generation())

    [part] = [part for part in found.parts if part.name.split(":")[0] == name]
    assert isinstance(scorer, Scorer)
    assert found.confidence == part.confidence
    assert (part.confidence is None) is bool(part.reason) or name in READING


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

    assert [part.name for part in parts] == [name for name in READING if name not in ONLY_WHERE_NAMED]
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
    ("provider", "scorer"),
    [("anthropic", "logprob"), ("anthropic", "logprob_fields"), ("openai", "probability"), ("embedded", "stated")],
)
def test_a_policy_that_counts_on_what_a_provider_never_gives_is_refused(provider, scorer):
    """Every case would go to a person, silently."""
    with pytest.raises(ConfigError, match=f"'{scorer}', which {provider} never gives"):
        check_scorers(Policy(scorers=(scorer,)), provider)


@pytest.mark.parametrize(
    ("scorers", "said"),
    [
        (("p_true",), "'p_true', which needs token log probabilities, and anthropic never gives them"),
        ((PTrue(model="anthropic:claude"),), "'p_true:anthropic:claude', which needs token log probabilities"),
        (("decisions",), "'decisions:openai:gpt-6-luna', and openai:gpt-6-luna is no decider"),
        (("judge",), "'judge:second', which asks a second model, and there is none: set OPENAI_API_KEY, or policy.sec"),
        ((Agreement(model="second"),), "'agreement:second', which asks a second model, and there is none"),
        (("stated", "stated"), "names 'stated' twice"),
        ((Agreement(samples=2), Agreement(samples=3)), "names 'agreement' twice"),
    ],
)
def test_a_scorer_that_could_never_say_anything_is_refused(scorers, said):
    """Before any model is asked, with what to change."""
    asked = {"openai:gpt-6-luna": ScriptedProvider(["no decider"]), "anthropic:claude": ClaudeLike()}

    with pytest.raises(ConfigError, match=re.escape(said)):
        check_scorers(Policy(scorers=scorers), "anthropic", asked=asked)


class ClaudeLike(ScriptedProvider):
    name = "anthropic"

    def __init__(self) -> None:
        super().__init__(["{}"])


def test_a_second_model_or_a_block_that_gives_no_logprobs_is_found_by_its_provider():
    policy = Policy(scorers=(PTrue(model="second"),), second_model="claude-block")

    with pytest.raises(ConfigError, match="'p_true:second', which needs token log probabilities, and anthropic never"):
        check_scorers(policy, "openai", second="claude-block", asked={"claude-block": ClaudeLike()})


def test_where_the_policy_forbids_a_second_model_no_key_is_asked_for():
    with pytest.raises(ConfigError, match=r"there is none: set policy\.second_model to"):
        check_scorers(Policy(scorers=("judge",), second_model=None), "openai")


def test_scorers_that_can_be_honoured_pass():
    policy = Policy(scorers=("p_true", "logprob_fields", "judge", "decisions", "semantic_entropy", "agreement"))
    decider = ScriptedDecider({"correct": 0.5})

    assert models_asked(policy, "anthropic:claude") == ("anthropic:claude", "openai:gpt-6-luna")
    check_scorers(policy, "openai", second="anthropic:claude", asked={"openai:gpt-6-luna": decider})


@pytest.mark.parametrize(
    ("word", "scorer"),
    [
        ("agreement", Agreement()),
        ("p_true", PTrue()),
        ("semantic_entropy", SemanticEntropy()),
        ("judge", Judge()),
        ("decisions", Decisions()),
    ],
)
def test_a_scorer_is_named_by_its_word(word, scorer):
    """With its settings' defaults; the stored policy holds them."""
    policy = Policy(scorers=("stated", word))

    assert policy == Policy(scorers=("stated", scorer))
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_a_policy_with_every_scorer_survives_json():
    policy = Policy(
        scorers=(
            *READING,
            Agreement(model="second", samples=2, fields=("total",)),
            PTrue(model="openai:gpt-4o"),
            SemanticEntropy(samples=3, equivalence="model", grouped_by="second"),
            Judge(models=("second", "openai:gpt-6-luna"), swap=False),
            Decisions(per_field=True),
        )
    )
    again = Policy.model_validate_json(policy.model_dump_json())

    assert (again, again.version) == (policy, policy.version)


def test_a_word_that_names_no_scorer_is_refused():
    with pytest.raises(ValidationError, match="there is no scorer 'logprobs'; there is stated, logprob, "):
        Policy(scorers=("logprobs",))


@pytest.mark.parametrize(
    ("scorer", "why"),
    [
        (Agreement(fields=("totl",)), r"counts 'totl', and the answer has \['total'\]"),
        (Agreement(variants=True), "asks the case's variants, and there are none"),
    ],
)
def test_an_agreement_over_what_a_case_does_not_have_is_refused(scorer, why):
    """It would be 0 or nothing for every case."""

    class Total(BaseModel):
        total: float

    with pytest.raises(ConfigError, match=why):
        check_agreement(Policy(scorers=(scorer,)), a_case(answer=Total))


def test_an_agreement_over_what_a_case_has_is_fine():
    case = a_case(answer=str, variants=("Extract it, please.",))

    check_agreement(Policy(scorers=(Agreement(variants=True, fields=("answer",)),)), case)


@pytest.mark.parametrize(
    ("scorers", "said"), [({"stated": 1}, "valid tuple"), (7, "valid tuple"), (None, "valid tuple")]
)
def test_what_is_no_list_of_scorers_is_refused(scorers, said):
    with pytest.raises(ValidationError, match=said):
        Policy(scorers=scorers)


async def test_a_scorer_that_may_spend_nothing_more_stops_the_run():
    """A score without it would let the case pass that the budget should have stopped."""
    case = a_case(prompt="Capital of France?", answer=str)
    table = at_table({"openai:judge": [BudgetSpent("1 USD is spent")]}, case=case)
    policy = Policy(scorers=(Judge(models=("openai:judge",)),))

    with pytest.raises(BudgetSpent, match="1 USD is spent"):
        await PolicyScorer(policy, table).score(case, a_generation(answer="Paris", text=""))


async def test_a_scorer_that_asks_nobody_is_begun_and_ended_like_any_other():
    """A flow need not know which scorers its policy names."""
    scorer, case = PolicyScorer(Policy(scorers=("stated",))), a_case(answer=dict[str, float])
    async with scorer.beside(case):
        found = await scorer.score(case, a_generation(stated_confidence=0.6))

    assert (found.combined, found.confidence) == ("stated", 0.6)


async def test_what_is_asked_ahead_is_waited_for_and_not_paid_for_twice():
    """No reply is lost, though nobody waited for it any more when the draft failed."""
    case = a_case(prompt="Capital of France?", answer=str)
    table = at_table({"openai:other": ['{"answer": "Paris", "confidence": 0.9}']}, case=case)
    scorer = PolicyScorer(Policy(scorers=(Agreement(model="openai:other"),)), table)

    async def without_a_draft():
        async with scorer.beside(case):
            for _ in range(3):
                await asyncio.sleep(0)
            raise ProviderUnavailable("no draft")

    with pytest.raises(ProviderUnavailable):
        await without_a_draft()
    asked = len(table.providers["openai:other"].requests)
    found = await scorer.score(case, a_generation(answer="Paris", text=""))

    assert (found.confidence, asked, len(table.providers["openai:other"].requests)) == (1.0, 1, 1)


@pytest.mark.timeout(10)
async def test_who_is_cancelled_waits_for_no_scorer():
    """Nobody wants the reply any more; it might take minutes."""
    case = a_case(prompt="Capital of France?", answer=str)
    slow = ScriptedProvider([Step(text='{"answer": "Paris", "confidence": 0.9}', delay_s=600)], model="other")
    scorer = PolicyScorer(
        Policy(scorers=(Agreement(model="openai:other"),)), at_table({"openai:other": slow}, case=case)
    )
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), scorer.beside(case):
            await asyncio.sleep(600)

    assert len(slow.requests) == 1


async def test_a_scorer_that_stands_beside_a_failure_asks_nothing_further():
    """What it has asked already is waited for; its next question would be paid for, and heard by nobody."""
    case = a_case(prompt="Capital of France?", answer=str)
    broken = ScriptedProvider([RuntimeError("no server")], model="broken")
    samples = ScriptedProvider(3 * [Step(text='{"answer": "Paris", "confidence": 0.9}', delay_s=0.05)], model="other")
    table = at_table({"openai:broken": broken, "openai:other": samples}, case=case)
    grouping = SemanticEntropy(model="openai:other", samples=2, equivalence="model", grouped_by="openai:other")
    scorer = PolicyScorer(Policy(scorers=(grouping, Agreement(model="openai:broken"))), table)

    async def scoring():
        async with scorer.beside(None):
            await scorer.score(case, a_generation(answer="Rome", text=""))

    with pytest.raises(RuntimeError, match="no server"):
        await scoring()
    await asyncio.sleep(0.1)

    assert len(samples.requests) == 2
