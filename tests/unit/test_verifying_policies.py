"""`hitl verify`: whether what people said leads, by the policy, to what was settled."""

from typing import Any

import pytest

from hitl_prefect.calibrations import Calibrated
from hitl_prefect.merging import settled_by
from hitl_prefect.models import Attempt
from hitl_prefect.outcomes import Outcome, Review, outcome_key
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import put_next
from hitl_prefect.routing import route
from hitl_prefect.signing import public_key_of
from hitl_prefect.stores.folder import FolderStore
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, a_verdict, an_outcome
from tests.unit.test_signing import POLICY
from tests.unit.verified import EVE, IN_FORCE, SUE, TO_A_PERSON, change, problems, put, reviewed, signed

TWO = Policy.model_validate(
    {
        **dict(POLICY),
        "quorum": 2,
        "reviewers": ("ada", "bob", "sue"),
        "escalate_to": ("eve",),
        "reviewer_keys": {**POLICY.reviewer_keys, "sue": public_key_of(SUE), "eve": public_key_of(EVE)},
    }
)
PANEL = Policy(quorum=3, reviewers=("ada", "bob", "sue"), tie_breakers=("eve",))
PAIR = Policy(reviewers=("ada", "bob"), on_deadline="escalate", escalate_to=("eve",))
GROUPED = Policy(min_confidence=0.9, grouping={"one_by_one": 1}, over_budget="reject")


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "outcomes")


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ([{}, {}], "approve by 'ada' counts as one whom its policy does not ask there"),
        ([{"role": "escalated"}], "approve by 'ada' was given as escalated, and its policy asks nobody as that there"),
        ([{"role": "tie_breaker"}], "approve by 'ada' was given as tie_breaker, and its policy asks nobody as that"),
        ([{"role": "second"}], "approve by 'ada' was given as second, and its policy asks nobody as that there"),
        ([{}, {"reviewer": "eve"}], "approve by 'eve' counts as one whom its policy does not ask there"),
        ([{"decision": "escalate"}, {"role": "escalated"}], "approve by 'ada' counts as one whom its policy does not"),
        ([{"decision": "escalate", "reviewer": "eve"}], "escalate by 'eve' counts as one whom its policy does not ask"),
        ([{"decision": "reject"}, {"decision": "reject", "reviewer": "bob"}, {"reviewer": "sue"}], "was given as"),
    ],
    ids=["twice", "escalated", "tie-breaker", "second", "unlisted", "back", "hands over", "after the end"],
)
def test_a_verdict_counts_only_from_whom_the_policy_asks_there(store, verdicts, says):
    """One signed approval, stored twice or called another role, is no quorum of two."""
    said = [signed(**{"answer": None if "decision" in one else {"total": 12.5}, **one}) for one in verdicts]
    route = TO_A_PERSON.model_copy(update={"policy_version": TWO.version})
    settled = a_review().settled.model_copy(update={"decided_by": "quorum"})
    review = a_review().model_copy(update={"verdicts": tuple(said), "settled": settled})
    put(store, reviewed(signed(), route=route, review=review, decided_by="quorum"))

    assert any(says in one for one in problems(store, {TWO.version: TWO})), problems(store, {TWO.version: TWO})


def under(policy: Policy, *verdicts: Any, **changes: Any) -> Outcome[Any]:
    """What the last verdict settled, under a policy that asks for no signature."""
    settled = settled_by(verdicts[-1], verdicts)
    review = Review(verdicts=verdicts, settled=settled, **changes.pop("review", {}))
    route = TO_A_PERSON.model_copy(update={"policy_version": policy.version})
    return reviewed(verdicts[-1], route=route, review=review, **{"decided_by": settled.decided_by, **changes})


@pytest.mark.parametrize(
    ("role", "says"),
    [("escalated", []), ("reviewer", ["approve by 'eve' counts as one whom its policy does not ask there"])],
)
def test_whom_the_deadline_handed_a_case_to_may_decide_it_as_that(store, role, says):
    """That nobody came before stands in no verdict."""
    put(store, under(PAIR, a_verdict(reviewer="eve", role=role), review={"escalated": True}))

    assert problems(store, {PAIR.version: PAIR}) == says


@pytest.mark.parametrize(
    ("reviewer", "says"), [("eve", []), ("ada", ["edit by 'ada' counts as one whom its policy does not ask there"])]
)
def test_where_the_answer_type_refused_the_majoritys_answer_a_tie_breaker_may_decide(store, reviewer, says):
    """Field by field two of three want 0, and one field must be 1; the type is not stored."""
    ones = [{"a": 1, "b": 0, "c": 0}, {"a": 0, "b": 1, "c": 0}, {"a": 0, "b": 0, "c": 1}]
    said = [
        a_verdict(decision="edit", answer=answer, reviewer=name)
        for name, answer in zip(PANEL.reviewers, ones, strict=True)
    ]
    last = a_verdict(decision="edit", answer=ones[0], reviewer=reviewer, role="tie_breaker")
    put(store, under(PANEL, *said, last))

    assert problems(store, {PANEL.version: PANEL}) == says


@pytest.mark.parametrize(
    ("reviewer", "says"),
    [("bob", []), ("mallory", ["retry by 'mallory' counts as one whom its policy does not ask there"])],
)
def test_each_verdict_is_gone_through_with_the_draft_that_it_is_about(store, reviewer, says):
    """Of two attempts; who sent the first one back must have been asked too."""
    retry = a_verdict(decision="retry", answer=None, guidance="Add the tax.", reviewer=reviewer)
    second = a_generation(attempt=2, answer={"total": 14})
    approve = a_verdict(answer={"total": 14}, attempt=2, draft_sha256=second.sha256)
    first = Attempt(generation=a_generation(), score=a_score(), route=TO_A_PERSON)
    outcome = under(PAIR, retry, approve, generation=second, earlier=(first,))
    settled = settled_by(approve, (approve,))
    review = outcome.review.model_copy(update={"settled": settled})
    put(store, outcome.model_copy(update={"review": review, "decided_by": "human"}))

    assert problems(store, {PAIR.version: PAIR}) == says


def test_what_no_policy_could_go_on_with_is_a_finding(store):
    """Bob hands over to whom only he is: the other outcomes are checked all the same."""
    handed_over = signed(decision="escalate", answer=None, reviewer="bob")
    put(store, reviewed(signed(), review=a_review().model_copy(update={"verdicts": (handed_over,)})))

    assert any("it cannot be gone through again: case 'c1': nobody is left" in one for one in problems(store))


def test_two_signatures_where_the_policy_asks_two_people(store):
    """One of them taken away is a missing person."""
    third = {**POLICY.reviewer_keys, "eve": public_key_of(EVE)}
    two = Policy.model_validate(
        {**dict(POLICY), "quorum": 2, "reviewers": ("ada", "bob", "eve"), "reviewer_keys": third}
    )
    route = a_route(action="review", reason="below_bar", propensity=1, policy_version=two.version)
    put(store, reviewed(signed(), route=route))

    assert problems(store, {two.version: two}) == [
        "its policy asks somebody more: a reviewer's verdict is missing",
    ]


def of_group(draft: Any, **changes: Any) -> Outcome[Any]:
    """The outcome of case c1, whose group was shown the draft of case c0."""
    shown = a_generation(answer={"vendor": "ACME"}, text="shown")
    verdict = a_verdict(answer={"vendor": "ACME"}, draft_sha256=shown.sha256, **changes)
    group = {"case": "c0", "draft_sha256": shown.sha256, "size": 2}
    route = a_route(action="review", reason="below_bar", propensity=1, policy_version=GROUPED.version)
    return reviewed(verdict, route=route, review=a_review(verdict, group=group), generation=a_generation(answer=draft))


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (of_group({"vendor": "acme."}), []),
        (of_group({"vendor": "acme."}, decision="edit"), []),
        (of_group({"vendor": "Other"}), ["approve by 'ada' approves for its group what its own draft does not say"]),
    ],
    ids=["alike", "edited", "other"],
)
def test_what_was_approved_for_a_group_says_what_each_draft_says(store, outcome, says):
    """What its group was shown is the draft of another case."""
    put(store, outcome)

    assert problems(store, {GROUPED.version: GROUPED}) == says


def test_a_verdict_for_a_group_is_about_the_draft_that_the_group_was_shown(store):
    """Nothing else was seen."""
    key = put(store, of_group({"vendor": "ACME"}))
    change(store, key, "review", "group", "draft_sha256", to="0" * 64, index_too=True)

    (found,) = problems(store, {GROUPED.version: GROUPED})
    assert found == "approve by 'ada' is about another draft than the one that its group was shown"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, []),
        ({"decision": "fallback", "final_answer": {"total": 0}}, ["its policy decided 'fallback' over its budget"]),
        ({"decision": "accept", "final_answer": {"total": 12.5}}, ["the policy, which never decides 'accept'"]),
        ({"review": a_review()}, ["it was decided by the policy because there was no review left, and holds a review"]),
    ],
    ids=["rejected", "other-end", "accepted", "reviewed"],
)
def test_what_the_policy_decides_over_its_budget_is_its_safe_end(store, changes, says):
    """It never accepts."""
    route = a_route(action="review", reason="below_bar", propensity=0, policy_version=GROUPED.version)
    end = {"route": route, "decision": "reject", "final_answer": None, "decided_by": "policy"}
    put(store, an_outcome(**{**end, **changes}))
    found = problems(store, {GROUPED.version: GROUPED})

    assert bool(found) is bool(says)
    assert all(any(one in problem for problem in found) for one in says)


def test_a_policy_with_a_risk_budget_is_known_with_every_bar_that_the_store_holds(store):
    """One policy is given; a case was accepted under a version of its bars, another is said to have been."""
    policy = Policy(max_error=0.05, audit_rate=0)
    version = put_next(store, "invoices", lambda previous: Calibrated.after(previous, "invoices", (IN_FORCE,), NOON))
    routed = route(a_case(), a_generation(), a_score(0.8), policy=policy.with_calibrated(version))
    put(store, an_outcome(route=routed))
    given = {policy.version: policy}

    assert (routed.action, problems(store, given)) == ("accept", [])
    change(store, outcome_key(an_outcome()), "score", "confidence", to=0.7, index_too=True)
    assert problems(store, given) == ["its policy sends it to a person (below bar), and the model decided"]
