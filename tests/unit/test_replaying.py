"""What another policy would have done: reviews saved, errors let through, and when CI has to say no."""

import json
from datetime import timedelta

import pytest

from hitl_prefect.calibrations import Calibrated, Calibration
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.cli import main
from hitl_prefect.models import Promise
from hitl_prefect.outcomes import CaseRecord, Settlement, outcome_key
from hitl_prefect.policy import Policy, Rule
from hitl_prefect.policy_versions import policy_key
from hitl_prefect.replaying import replay
from hitl_prefect.stores import FolderStore
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, a_verdict, an_outcome

CORRECTED = {"total": 13.0}


def accepted(case_id, confidence=0.9, *, audits=0.0, total=12.5):
    return an_outcome(
        case=CaseRecord.of(a_case(id=case_id)),
        generation=a_generation(answer={"total": total}),
        score=a_score(confidence),
        route=a_route(bar=0.8, propensity=audits),
        final_answer={"total": total},
    )


def reviewed(case_id, confidence=0.5, *, right=True, audits=None, **changes):
    """Below the bar; or above it, where audits are given."""
    decision, answer = ("approve", {"total": 12.5}) if right else ("edit", CORRECTED)
    reason = {"reason": "below_bar", "propensity": 1} if audits is None else {"reason": "audit", "propensity": audits}
    return an_outcome(
        **{
            "case": CaseRecord.of(a_case(id=case_id)),
            "score": a_score(confidence),
            "route": a_route(action="review", bar=0.8, **reason),
            "review": a_review(a_verdict(decision=decision, answer=answer)),
            "decision": decision,
            "final_answer": answer,
            "decided_by": "human" if audits is None else "audit",
            **changes,
        }
    )


def overdue(case_id, confidence):
    """Nobody came, and the deadline rejected it."""
    settled = Settlement(decision="reject", decided_by="deadline", decided_at=NOON)
    review = a_review().model_copy(update={"verdicts": (), "settled": settled})
    return reviewed(case_id, confidence, review=review, decision="reject", final_answer=None, decided_by="deadline")


def audited(wrong=1, of=10, rate=0.5):
    """As many accepted cases as audited ones, some of which were wrong."""
    cases = [reviewed(f"audit-{n}", 0.9, right=n >= wrong, audits=rate) for n in range(of)]
    return [*cases, *(accepted(f"sure-{n}", audits=rate) for n in range(of))]


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


def put(store, *outcomes):
    for one in outcomes:
        store.put_once(outcome_key(one), one.stored)
    return store


def task_of(store, policy, **options):
    (task,) = replay(store, policy, **options).tasks
    return task


def test_the_same_policy_changes_nothing(store):
    task = task_of(put(store, *audited(), reviewed("c1")), Policy(min_confidence=0.8))

    assert (task.newly_accepted, task.newly_reviewed, task.verdict) == (0, 0, "holds")
    assert task.error_before == task.error_after
    assert task.error_before.value == pytest.approx(0.1)


def test_a_lower_bar_saves_reviews_and_its_errors_are_known(store):
    """Each of the newly accepted was decided by a person, as long as the bar was above it."""
    put(store, *audited(wrong=2), *(reviewed(f"c{n}", 0.7, right=n > 0) for n in range(20)))
    task = task_of(store, Policy(min_confidence=0.6))

    assert (task.reviews_before, task.reviews_after, task.newly_accepted, task.unlabelled) == (30, 0, 20, 0)
    assert (task.error_of_new.value, task.error_of_new.labels) == (0.05, 20)
    assert (task.error_before.value, task.error_after.value) == (pytest.approx(0.2), pytest.approx(0.125))
    assert task.verdict == "holds"


def test_a_bar_that_lets_more_errors_through_makes_the_risk_rise(store):
    put(store, *audited(wrong=1), *(reviewed(f"c{n}", 0.7, right=n > 9) for n in range(20)))
    task = task_of(store, Policy(min_confidence=0.6))

    assert task.verdict == "rises"
    assert task.why == "30.0% of what is accepted is wrong, against today's 10.0%"


def test_a_budget_allows_what_it_covers_and_no_more(store):
    put(store, *audited(wrong=1), *(reviewed(f"c{n}", 0.7, right=n > 9) for n in range(20)))
    lower = Policy(min_confidence=0.6)

    assert task_of(store, lower, max_error=0.35).verdict == "holds"
    assert task_of(store, lower, max_error=0.25).verdict == "rises"


def test_what_nobody_decided_is_unknown_and_not_right(store):
    """The deadline ended the reviews of half of what is newly accepted."""
    put(store, *audited(), *(reviewed(f"c{n}", 0.7) for n in range(5)), *(overdue(f"d{n}", 0.7) for n in range(5)))
    task = task_of(store, Policy(min_confidence=0.6))

    assert (task.newly_accepted, task.unlabelled) == (10, 5)
    assert task.verdict == "holds", "the deadline knew nothing of the drafts: those with a label stand for the others"


def test_where_no_newly_accepted_case_has_a_label_the_risk_is_unknown(store):
    put(store, *audited(), *(overdue(f"d{n}", 0.7) for n in range(5)))
    task = task_of(store, Policy(min_confidence=0.6))

    assert (task.verdict, task.error_of_new, task.unlabelled) == ("unknown", None, 5)


def test_without_audits_the_newly_accepted_speak_for_themselves(store):
    put(store, accepted("a"), *(reviewed(f"c{n}", 0.7) for n in range(5)))
    good = task_of(store, Policy(min_confidence=0.6))
    put(store, reviewed("wrong", 0.7, right=False))
    bad = task_of(store, Policy(min_confidence=0.6))

    assert (good.error_before, good.verdict, bad.verdict) == (None, "holds", "rises")


def test_a_rule_is_replayed_on_the_stored_draft(store):
    put(store, accepted("small", total=5.0), accepted("large", total=5000.0))
    task = task_of(store, Policy(min_confidence=0.8, rules=(Rule(field="total", op=">", value=1000),)))

    assert (task.newly_reviewed, task.reviews_after, task.verdict) == (1, 1, "holds")


def test_a_policy_with_a_risk_budget_takes_the_bars_of_the_store(store):
    """As a flow run would that begins now."""
    put(store, *audited(wrong=0), *(reviewed(f"c{n}", 0.7) for n in range(4)))
    promise = Promise(max_error=0.05, confidence_level=0.9)
    found = Calibration(
        task="invoices",
        model="gpt-5-mini",
        prompt="-",
        scorer="min(stated)",
        promise=promise,
        status="ready",
        bar=0.65,
        labels=100,
        look=1,
        made_at=NOON,
    )
    version = Calibrated.after(None, "invoices", (found,), NOON)
    policy = Policy(max_error=0.05, audit_rate=0)
    cold = task_of(store, policy)
    store.put_once(policy_key("invoices", 1), canonical_bytes(version))
    warm = task_of(store, policy)

    assert (cold.reviews_after, warm.reviews_after) == (24, 0)
    assert (warm.newly_accepted, warm.budget, warm.verdict) == (4, 0.05, "holds")


def test_a_policy_that_would_accept_nothing_keeps_every_budget(store):
    """Such as a stricter promise, for which there is no bar yet."""
    put(store, *audited(wrong=0), *(reviewed(f"c{n}", 0.7) for n in range(4)))
    task = task_of(store, Policy(max_error=0.01))

    assert (task.reviews_after, task.error_after) == (24, None)
    assert (task.verdict, task.why) == ("holds", "nothing would be accepted: a person sees every case")


def scored(case_id, combined, *, day=0):
    score = a_score(0.9).model_copy(update={"combined": combined})
    return accepted(case_id).model_copy(update={"score": score, "decided_at": NOON + timedelta(days=day)})


@pytest.mark.parametrize(
    "changes",
    [{"scorers": ("stated",)}, {"scorers": ("stated", "logprob"), "combine": "mean"}, {}],
    ids=["other scorers", "combined otherwise", "none are named"],
)
def test_scores_that_the_policy_would_not_give_leave_the_risk_unknown(store, changes):
    """The bar is the same, and nothing is newly accepted: with other scores nobody can say."""
    task = task_of(put(store, scored("a", "min(stated, logprob)")), Policy(min_confidence=0.8, **changes))

    assert (task.scored_otherwise, task.newly_accepted, task.verdict) == (1, 0, "unknown")
    assert task.why.startswith("scores are made by min(stated, logprob) today")


def test_what_was_once_scored_otherwise_is_replayed_and_counted(store):
    """The scorers were changed long ago, and not by this policy."""
    put(store, scored("old", "stated"), scored("new", "min(stated, logprob)", day=1))
    task = task_of(store, Policy(min_confidence=0.8, scorers=("stated", "logprob")))

    assert (task.scored_otherwise, task.verdict) == (1, "holds")


def test_an_object_that_is_no_outcome_is_named(store):
    put(store, accepted("a"))
    store.put_once("outcomes/v1/task=invoices/dt=2026-01-02/bad.json", b"{")

    assert [one.key for one in replay(store, Policy()).unreadable] == [
        "outcomes/v1/task=invoices/dt=2026-01-02/bad.json"
    ]


def run(*arguments):
    with pytest.raises(SystemExit) as done:
        main(list(arguments))
    return done.value.code


def test_ci_is_told_by_the_exit_code(store, tmp_path, capsys):
    put(store, *audited(wrong=1), *(reviewed(f"c{n}", 0.7, right=n > 9) for n in range(20)))
    (tmp_path / "same.yaml").write_text("min_confidence: 0.8\n")
    (tmp_path / "lower.json").write_text('{"min_confidence": 0.6}')
    command = ["replay", "--store", store.url, "--policy"]

    assert run(*command, str(tmp_path / "same.yaml")) == 0
    assert "The risk does not rise" in capsys.readouterr().out
    assert run(*command, str(tmp_path / "lower.json")) == 1
    said = capsys.readouterr().out
    assert "The risk RISES: 30.0% of what is accepted is wrong, against today's 10.0%." in said
    assert "0 (-30)" in said
    assert run(*command, str(tmp_path / "lower.json"), "--json") == 1
    assert json.loads(capsys.readouterr().out)["is_safe"] is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("min_confidence: 2", "holds no policy: min_confidence: Input should be less than or equal to 1"),
        ("- 1", "write its fields"),
        ("a: [", "cannot be read"),
        ("a: &a [*a]", "holds no policy: it repeats itself"),
        ("min_confidence: 0.9\nmin_confidence: 0.5", "'min_confidence' stands in the policy twice"),
        ('{"rules": [{"op": ">", "op": "<", "value": 1}]}', "'op' stands in the policy twice"),
    ],
)
def test_a_file_that_is_no_policy_says_what_is_wrong(store, tmp_path, capsys, text, problem):
    put(store, accepted("a"))
    (tmp_path / "new.yaml").write_text(text)
    code = run("replay", "--store", store.url, "--policy", str(tmp_path / "new.yaml"))

    assert code == 1
    assert problem in capsys.readouterr().err
