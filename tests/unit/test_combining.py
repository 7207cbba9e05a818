from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hitl_prefect.asking import DirectAsker
from hitl_prefect.briefs import Brief
from hitl_prefect.combining import Combination, FittedFor, Term
from hitl_prefect.drafts import request_for
from hitl_prefect.errors import ConfigError
from hitl_prefect.form_description import describe
from hitl_prefect.models import Part
from hitl_prefect.policy import Policy
from hitl_prefect.providers.scripted import ScriptedProvider
from hitl_prefect.scorer_checks import check_scorers
from hitl_prefect.scoring import PolicyScorer, scores_as
from tests.unit.making import a_case, a_generation, a_route

FITTED = Combination(
    fitted_for=FittedFor(task="invoices", models=("gpt-5-mini", "gpt-5"), cases=200, wrong=40),
    scale="confidence",
    intercept=1.0,
    terms=(Term(name="stated", weight=4, centre=0.75), Term(name="hedging", weight=2, centre=0.5)),
    strength=0.1,
)
CONFIDENCES = st.floats(0, 1)


def parts(stated=0.5, hedging=1.0):
    return [Part(name="stated", confidence=stated), Part(name="hedging", confidence=hedging)]


def test_each_scorer_adds_its_weight_times_its_distance_from_the_average():
    """A model less sure than usual takes away, a scorer surer than usual adds."""
    assert FITTED.explain(parts()) == {"intercept": 1.0, "stated": -1.0, "hedging": 1.0}
    assert FITTED.apply(parts()) == pytest.approx(exp(1) / (1 + exp(1)))


@given(CONFIDENCES, CONFIDENCES, st.sampled_from(["confidence", "log_odds"]))
def test_the_contributions_add_up_to_the_log_odds_of_the_confidence(stated, hedging, scale):
    """On either scale, whatever the confidences."""
    combination = FITTED.model_copy(update={"scale": scale})
    found = combination.apply(parts(stated, hedging))

    added = combination.explain(parts(stated, hedging))
    assert sum(added.values()) == pytest.approx(log(found / (1 - found)), abs=1e-3)


@given(CONFIDENCES, CONFIDENCES, CONFIDENCES)
def test_surer_scorers_never_make_it_less_sure(low, high, hedging):
    """Where the weights are not negative."""
    low, high = sorted((low, high))

    assert FITTED.apply(parts(low, hedging)) <= FITTED.apply(parts(high, hedging))


@pytest.mark.parametrize(("stated", "confidence"), [(0.0, 0.0), (1.0, 1.0)])
def test_a_huge_weight_overflows_nothing(stated, confidence):
    """The confidence is 0 or 1."""
    term = Term(name="stated", weight=1e6, centre=0.5)

    assert FITTED.model_copy(update={"terms": (term,)}).apply(parts(stated)) == confidence


@pytest.mark.parametrize(
    ("case", "generation", "found", "reason"),
    [
        ({}, {}, parts(stated=None), "no confidence from stated, which it counts on"),
        ({}, {}, [], "no confidence from hedging, stated, which it counts on"),
        ({}, {"model": "gpt-6"}, parts(), "fitted for gpt-5-mini, gpt-5, and gpt-6 drafted"),
        ({"task": "mail"}, {}, parts(), "fitted for the task 'invoices', not 'mail'"),
    ],
)
def test_outside_its_evidence_it_has_no_confidence_and_says_why(case, generation, found, reason):
    """Nothing is guessed in the place of what is missing."""
    part = FITTED.part(a_case(**case), a_generation(**generation), found)

    assert part == Part(name="combination", confidence=None, reason=reason)


async def test_a_policy_scores_as_fitted():
    """The score's confidence is the combination's, and its own part says what it is made of."""
    policy = Policy(scorers=("stated", "hedging")).model_copy(update={"combine": FITTED})
    score = await PolicyScorer(policy).score(a_case(), a_generation(stated_confidence=0.5))

    combined = f"combination-{FITTED.version}(stated, hedging)"
    assert (score.combined, score.confidence) == (combined, FITTED.apply(parts()))
    assert score.parts[-1] == Part(
        name="combination",
        confidence=FITTED.apply(parts()),
        log_odds={"intercept": 1.0, "stated": -1.0, "hedging": 1.0},
    )


async def test_another_fit_of_the_same_scorers_is_another_evidence():
    """What a bar was found for: with other weights the same confidence says something else."""
    again = FITTED.model_copy(update={"intercept": FITTED.intercept + 1})
    policies = [Policy(scorers=("stated", "hedging"), combine=one) for one in (FITTED, again, FITTED)]
    draft = a_generation(stated_confidence=0.5)
    first, other, same = [(await PolicyScorer(one).score(a_case(), draft)).combined for one in policies]

    assert first == same != other


async def test_a_policy_leaves_a_draft_of_another_model_unscored():
    """It goes to a person, with the reason in the stored score."""
    policy = Policy(scorers=("stated", "hedging"), combine=FITTED)
    score = await PolicyScorer(policy).score(a_case(), a_generation(stated_confidence=0.99, model="gpt-6"))

    assert score.confidence is None
    assert score.parts[-1].reason == "fitted for gpt-5-mini, gpt-5, and gpt-6 drafted"


async def test_nobody_is_asked_for_what_it_does_not_count_on():
    """A combination of scorers that only read the draft needs no second model, and costs nothing."""
    asked = []

    async def resolve(name):
        asked.append(name)
        return ScriptedProvider(["{}"])

    case = a_case()
    asker = DirectAsker(request_for(case), drafted_by="anthropic:a", second="openai:b", resolve=resolve)
    scorer = PolicyScorer(Policy(combine=FITTED), asker, gives_logprobs=False)
    await scorer.ahead(case)
    score = await scorer.score(case, a_generation(stated_confidence=0.5))

    assert (score.confidence, asked) == (FITTED.apply(parts()), [])


async def test_the_reviewer_reads_what_the_confidence_is_made_of():
    """In the form, beside the scores."""
    policy = Policy(scorers=("stated", "hedging"), combine=FITTED)
    case, draft = a_case(), a_generation(stated_confidence=0.5)
    score = await PolicyScorer(policy).score(case, draft)
    shown = describe(Brief(case=case, generation=draft, score=score, route=a_route(action="review"), policy=policy))

    assert "` combination 0.73 `" in shown
    assert "against the average case: ` intercept +1.00 ` ` stated -1.00 ` ` hedging +1.00 `" in shown


def test_a_combination_is_a_part_of_the_policy():
    """It survives JSON and changes the version."""
    plain = Policy(scorers=("stated", "hedging"))
    policy = plain.with_combination(FITTED)

    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert policy.version != plain.version


def test_a_policy_that_would_never_ask_a_scorer_that_counts_is_refused():
    """Every case would go to a person, silently."""
    asked = FITTED.model_copy(update={"terms": (Term(name="agreement", weight=1, centre=0.5),)})

    assert Policy(scorers=("agreement",), combine=asked).combine == asked
    with pytest.raises(ValidationError, match="fitted on \\['agreement'\\], which scorers does not name"):
        Policy(scorers=("stated",), combine=asked)


def test_a_combination_that_counts_on_what_a_provider_never_gives_is_refused():
    """Before the first case, as for named scorers."""
    fitted = FITTED.model_copy(update={"terms": (Term(name="logprob", weight=1, centre=0.5),)})

    with pytest.raises(ConfigError, match=r"policy\.combine names 'logprob', which anthropic never gives"):
        check_scorers(Policy(combine=fitted), "anthropic")


@pytest.mark.parametrize(
    "change",
    [
        {"terms": ()},
        {"terms": FITTED.terms * 2},
        {"intercept": float("nan")},
        {"terms": ({"name": "stated", "weight": float("inf"), "centre": 0},)},
    ],
)
def test_a_combination_that_means_nothing_cannot_be_made(change):
    """No scorer, one twice, a weight that is no number."""
    with pytest.raises(ValidationError):
        Combination(**{**FITTED.model_dump(), **change})


async def test_a_score_is_known_to_come_from_the_very_combination_that_made_it():
    """One that was fitted anew is another: its scores are not judged by the bar of the first."""
    policy = Policy(scorers=("stated", "hedging"), combine=FITTED)
    anew = policy.with_combination(FITTED.model_copy(update={"intercept": 2.0}))
    combined = (await PolicyScorer(policy).score(a_case(), a_generation(stated_confidence=0.5))).combined

    assert [scores_as(one, combined) for one in (policy, anew, Policy(scorers=("stated", "hedging")))] == [
        True,
        False,
        False,
    ]
