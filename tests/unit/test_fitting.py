import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.evidence import was_right
from hitl_prefect.fitting import fit_combination
from hitl_prefect.models import Part, Score
from hitl_prefect.outcomes import CaseRecord
from hitl_prefect.scorers import Agreement
from tests.unit.making import a_case, a_generation, a_review, a_route, an_outcome

ANSWER = {"total": 12.5}


def reviewed(right=True, propensity=1.0, number=0, **confidences):
    """One case that a person decided, with a part per scorer."""
    case = a_case(id=f"c{number}", prompt=f"Extract {number}.")
    parts = tuple(Part(name=name.replace("__", ":"), confidence=sure) for name, sure in confidences.items())
    decided = {"decision": "approve"} if right else {"decision": "reject", "final_answer": None}
    return an_outcome(
        case=CaseRecord.of(case),
        score=Score(confidence=None, combined="none", parts=parts),
        route=a_route(action="review", propensity=propensity),
        review=a_review(),
        decided_by="human",
        **decided,
    )


def many(cases=300, seed=1, **changes):
    """Cases where `stated` tells much, `agreement` some and `noise` nothing."""
    rng = np.random.default_rng(seed)
    stated, agreement, noise = rng.random((3, cases))
    right = rng.random(cases) < 1 / (1 + np.exp(-(6 * (stated - 0.5) + 2 * (agreement - 0.5))))
    return [
        reviewed(
            **{
                "right": bool(right[i]),
                "number": i,
                "stated": float(stated[i]),
                "agreement": float(agreement[i]),
                "noise": float(noise[i]),
                **changes,
            }
        )
        for i in range(cases)
    ]


def weights_of(combination):
    return {term.name: term.weight for term in combination.terms}


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({"decision": "approve"}, True),
        ({"decision": "edit", "final_answer": {"total": 12.5}}, True),
        ({"decision": "edit", "final_answer": {"total": 9.0}}, False),
        ({"decision": "reject", "final_answer": None}, False),
        ({"decision": "approve", "decided_by": "audit"}, True),
        ({"decision": "approve", "decided_by": "quorum"}, True),
        ({"decision": "reject", "final_answer": None, "decided_by": "deadline"}, None),
        ({"decision": "fallback", "decided_by": "deadline"}, None),
        ({"decision": "accept", "decided_by": "model", "review": None}, None),
        ({"decision": "approve", "decided_by": "policy"}, None),
        ({"decision": "edit", "generation": a_generation(answer=None, status="invalid")}, None),
        ({"decision": "approve", "route": a_route(propensity=0)}, None),
    ],
)
def test_only_what_a_person_decided_is_a_label(changes, right):
    """Approved and edited into the same is right; a deadline, the policy or the model alone says nothing."""
    facts = {"review": a_review(), "decided_by": "human", "final_answer": ANSWER, "route": a_route(propensity=1)}

    assert was_right(an_outcome(**{**facts, **changes})) is right


def test_the_weights_are_those_of_scikit_learn():
    """With the same L2 per standard deviation, and negative weights allowed."""
    outcomes = many()
    fitted = fit_combination(outcomes, scorers=("stated", "agreement", "noise"), negative_weights=True)
    x = np.array([[part.confidence for part in one.score.parts] for one in outcomes])
    if fitted.scale == "log_odds":
        x = np.log(np.clip(x, 0.01, 0.99) / (1 - np.clip(x, 0.01, 0.99)))
    right = [was_right(one) for one in outcomes]
    theirs = LogisticRegression(C=1 / (len(x) * fitted.strength), tol=1e-8).fit((x - x.mean(0)) / x.std(0), right)

    assert list(weights_of(fitted).values()) == pytest.approx(theirs.coef_[0] / x.std(0), abs=1e-4)
    assert fitted.intercept == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert [term.centre for term in fitted.terms] == pytest.approx(x.mean(0), abs=1e-5)


def test_the_combination_says_what_it_was_fitted_for():
    """Task, models, and how many cases of which kind."""
    outcomes = many()
    fitted = fit_combination(outcomes, scorers=("stated", "agreement"))

    wrong = sum(was_right(one) is False for one in outcomes)
    assert fitted.fitted_for.model_dump() == {
        "task": "invoices",
        "models": ("gpt-5-mini",),
        "cases": 300,
        "wrong": wrong,
    }
    assert weights_of(fitted)["stated"] > weights_of(fitted)["agreement"] > 0


def test_the_same_outcomes_give_the_same_weights():
    """So that the policy's version is the same."""
    assert fit_combination(many(), scorers=("stated",)) == fit_combination(many(), scorers=("stated",))


def test_a_scorer_may_be_given_with_its_settings():
    """As the policy names it."""
    outcomes = [reviewed(bool(i % 2), number=i, agreement__second=0.3 + 0.3 * (i % 2)) for i in range(40)]
    fitted = fit_combination(outcomes, scorers=(Agreement(model="second"),))

    assert [term.name for term in fitted.terms] == ["agreement:second"]


def test_a_higher_confidence_never_makes_it_less_sure_unless_allowed():
    """A scorer that points the wrong way is dropped; with negative weights it is turned round."""
    outcomes = [reviewed(bool(i % 2), number=i, stated=0.5 + (i % 2) / 5, hedging=0.9 - (i % 2) / 5) for i in range(40)]

    assert set(weights_of(fit_combination(outcomes, scorers=("stated", "hedging")))) == {"stated"}
    assert weights_of(fit_combination(outcomes, scorers=("stated", "hedging"), negative_weights=True))["hedging"] < 0


def test_rarely_reviewed_cases_count_for_those_that_nobody_saw():
    """The mean confidence is the error rate of all cases, weighted, and not that of those that were reviewed."""
    outcomes = [one for one in many(400) if one.score.parts[0].confidence < 0.5]
    audited = [one for one in many(400) if one.score.parts[0].confidence >= 0.5][::5]
    outcomes += [one.model_copy(update={"route": a_route(action="review", propensity=0.2)}) for one in audited]
    fitted = fit_combination(outcomes, scorers=("stated", "agreement"))

    weights = [1 / one.route.propensity for one in outcomes]
    assert np.average([fitted.apply(one.score.parts) for one in outcomes], weights=weights) == pytest.approx(
        np.average([was_right(one) for one in outcomes], weights=weights), abs=1e-4
    )


def test_cases_where_a_scorer_was_silent_are_left_out():
    """The combination has no confidence there either."""
    silent = [reviewed(number=1000 + i, stated=0.5, agreement=None) for i in range(50)]

    assert fit_combination([*silent, *many()], scorers=("stated", "agreement")) == fit_combination(
        many(), scorers=("stated", "agreement")
    )


def test_too_few_labels_are_refused_with_how_many_more_it_takes():
    """Of each kind, counted by prompt."""
    outcomes = [reviewed(i >= 4, number=i, stated=0.5) for i in range(20)]
    silent = [reviewed(number=100, stated=None)]

    with pytest.raises(
        ConfigError, match=r"16 prompts answered right and 4 wrong \(1 more lack .*0 more right and 6 more wrong"
    ):
        fit_combination([*outcomes, *silent], scorers=("stated",))


def test_the_same_question_in_other_words_is_one_label():
    """Many answers to few questions are little evidence."""
    with pytest.raises(ConfigError, match="1 prompts answered right and 1 wrong"):
        fit_combination(many(), scorers=("stated",), group=lambda _: "the same")


@pytest.mark.parametrize(
    ("outcomes", "scorers", "said"),
    [
        (many(), ("stated", "logprob"), "no reviewed outcome holds a confidence of \\['logprob'\\]; there is"),
        (many(), ("stated", "stated"), "each scorer to combine once"),
        (many(), (), "each scorer to combine once"),
        (many(stated=0.7), ("stated",), "none of \\['stated'\\] tells right from wrong"),
        ([an_outcome()], ("stated",), "0 prompts answered right and 0 wrong"),
        (
            [*many(), reviewed().model_copy(update={"case": CaseRecord.of(a_case(task="mail"))})],
            ("stated",),
            "one combination per task",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_words(outcomes, scorers, said):
    """And nothing is made up."""
    with pytest.raises(ConfigError, match=said):
        fit_combination(outcomes, scorers=scorers)


def test_without_scikit_learn_the_install_line_is_told(monkeypatch):
    """Applying a combination needs none, fitting it does."""
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(MissingExtra, match=r"pip install 'hitl_prefect\[learn\]'"):
        fit_combination([], scorers=("stated",))
