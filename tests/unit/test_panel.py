"""Who is asked next, and when it is decided: every short history of every kind of policy."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel, Field

from hitl_prefect.errors import ConfigError
from hitl_prefect.outcomes import RefusedAnswer, Settlement, Verdict
from hitl_prefect.panel import Ask, Heard, Silence, Sitting
from hitl_prefect.people import SecondOpinion, same_person
from hitl_prefect.policy import Policy
from tests.unit.making import NOON, a_case, a_generation, a_score, a_verdict


class Invoice(BaseModel):
    total: float = Field(ge=0)


DRAFT, OTHER = {"total": 12.5}, {"total": 13.0}
POOL = ("ada", "bob", "eve", "kim", "zoe", "max")
ALWAYS_TWO = SecondOpinion(overrode_at=None, error_cost_at=1, words_per_minute=None)
NAMED = {"reviewers": ("ada", "bob", "eve", "kim", "req"), "tie_breakers": ("tia", "req")}
WAYS: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {"quorum": 2},
    "three": {"quorum": 3},
    "two of a list": {"quorum": 2, **NAMED, "escalate_to": ("sue", "ada")},
    "second opinion": {"second_opinion": ALWAYS_TWO, **NAMED},
    "reject late": {"quorum": 2, "on_deadline": "reject", "escalate_to": ("sue",)},
    "fallback late": {"quorum": 2, "on_deadline": "fallback", "fallback": OTHER},
    "escalate late": {"quorum": 2, **NAMED, "on_deadline": "escalate", "escalate_to": ("sue", "req")},
    "widen": {
        "quorum": 2,
        "reviewers": ("ada", "req"),
        "widen_after_s": 60,
        "widen_to": ("bob", "eve"),
        "on_deadline": "reject",
        "escalate_to": ("sue",),
    },
}
SAID = ("approve", "edit", "reject", "retry", "escalate")


def sitting(*, requester: str | None = "req", confidence: float | None = 0.9, **policy: Any) -> Sitting:
    return Sitting(
        case=a_case(answer=Invoice, requester=requester),
        generation=a_generation(answer=DRAFT),
        score=a_score(confidence),
        policy=Policy(**policy),
    )


def hearing(before: Sitting, said: str | Verdict | Silence | RefusedAnswer | None, by: str | None = None) -> Sitting:
    """The sitting after somebody who may answer said one more thing."""
    ask = before.next_step()
    assert isinstance(ask, Ask)
    word = verdict(ask, said, by, len(before.heard)) if isinstance(said, str) else said
    return before.model_copy(update={"heard": (*before.heard, Heard(ask=ask, said=word))})


def verdict(ask: Ask, decision: str, by: str | None, minutes: int) -> Verdict:
    answer = {"approve": DRAFT, "edit": OTHER}.get(decision)
    at = NOON + timedelta(minutes=minutes)
    name = by or next(one for one in ask.people or POOL if not any(same_person(one, no) for no in ask.not_these))
    return a_verdict(
        decision=decision, answer=answer, reviewer=name, role=ask.role, guidance="again", opened_at=NOON, decided_at=at
    )


def silence(ask: Ask) -> Silence:
    assert ask.silence_means is not None
    return Silence(at=NOON + timedelta(days=4), meant=ask.silence_means)


def histories(before: Sitting) -> Iterator[Sitting]:
    """Every way on to a settlement; what does not settle within eight steps fails."""
    step = before.next_step()
    if isinstance(step, Settlement):
        yield before
        return
    assert len(before.heard) < 8, before.heard
    offered = [one for one in SAID if one != "escalate" or (before.policy.escalate_to and step.role != "escalated")]
    for decision in offered:
        said = verdict(step, decision, None, len(before.heard))
        if before.objection(said) is None:
            yield from histories(hearing(before, said))
    if step.silence_means is not None:
        yield from histories(hearing(before, silence(step)))


def end(done: Sitting) -> Settlement:
    step = done.next_step()
    assert isinstance(step, Settlement)
    return step


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS)
def ended(request):
    """All histories of one policy."""
    return list(histories(sitting(**request.param)))


def test_every_history_ends_as_the_policy_says(ended):
    """Within eight steps, as what people said or as the deadline does."""
    ways = {(end(done).decision, end(done).decided_by) for done in ended}
    policy = ended[0].policy
    by_deadline = {(policy.on_deadline, "deadline")} if policy.on_deadline in ("reject", "fallback") else set()

    assert ways <= {*product(("approve", "edit", "reject"), ("human", "quorum")), ("retry", "human"), *by_deadline}
    assert by_deadline <= ways


def test_nothing_ships_without_as_many_people_as_it_needs(ended):
    """Different people, each field backed by more than half of those who ship it; or one who saw it all."""
    for done in ended:
        settled, last = end(done), done.counted[-1] if done.counted else None
        if settled.decision not in ("approve", "edit") or last is None or last.role in ("tie_breaker", "escalated"):
            continue
        needed = 2 if done.policy.second_opinion else done.policy.quorum
        backing = [one for one in done.counted if one.answer == settled.answer]

        assert len({one.reviewer for one in done.counted}) == len(done.counted) == needed
        assert 2 * len(backing) > len([one for one in done.counted if one.answer is not None])


def test_nobody_barred_is_ever_asked(ended):
    """Not twice, not about their own case, not what they handed over themselves; only who is named where some are."""
    for done in ended:
        policy, before = done.policy, sitting(**dict(done.policy)).model_copy(update={"policy": done.policy})
        for heard in done.heard:
            answered = {one.reviewer for one in before.verdicts if heard.ask.role != "escalated"}
            named = {*policy.reviewers, *policy.widen_to, *policy.tie_breakers, *policy.escalate_to}

            assert not {*answered, "req"} & set(heard.ask.people)
            assert "req" in heard.ask.not_these
            assert set(heard.ask.people) <= named
            assert bool(heard.ask.people) is bool(policy.reviewers or heard.ask.role == "escalated")
            before = before.model_copy(update={"heard": (*before.heard, heard)})


def test_retry_and_escalate_act_at_once(ended):
    """Whoever else was to be asked is not; what was escalated only those decide whom it was escalated to."""
    for done in ended:
        for at, heard in enumerate(done.heard):
            after = done.model_copy(update={"heard": done.heard[: at + 1]}).next_step()
            if isinstance(heard.said, Verdict) and heard.said.decision == "retry":
                assert isinstance(after, Settlement)
                assert (after.decision, after.guidance, after.decided_by) == ("retry", "again", "human")
            if isinstance(heard.said, Verdict) and heard.said.decision == "escalate":
                assert isinstance(after, Ask)
                assert after.role == "escalated"


def test_the_deadline_agrees_with_nobody(ended):
    """Where it decides, what was said is kept and settles nothing, and what it decides is never an approval."""
    for done in ended:
        late = any(isinstance(one.said, Silence) and one.said.meant == "deadline" for one in done.heard)
        acts = done.policy.on_deadline in ("reject", "fallback")
        settled = end(done)

        assert (settled.decided_by == "deadline") is (late and acts)
        assert settled.decided_by != "deadline" or (settled.decision, settled.answer) == (done.policy.on_deadline, None)
        assert done.review(settled).verdicts == done.verdicts


@pytest.mark.parametrize("said", [None, RefusedAnswer(errors=("no",), typed={}, form_sha256="f" * 64, decided_at=NOON)])
def test_what_does_not_apply_changes_nothing(said):
    """The same people are asked for the same again."""
    for way in WAYS.values():
        before = sitting(**way)

        assert hearing(before, said).next_step() == before.next_step()


def test_of_two_the_second_is_somebody_else():
    """In whatever spelling the first name came; the form says how many have answered."""
    after = hearing(sitting(quorum=2, requester=None), "approve", by=" Ada ")

    assert after.next_step() == Ask(not_these=(" Ada ",), named=True, answered=1, needed=2)


def test_what_two_cannot_agree_on_a_tie_breaker_decides():
    """Who has not answered, and is named for it where somebody is; the outcome keeps what the others said."""
    tied = hearing(hearing(sitting(quorum=2, **NAMED), "approve", by="ada"), "edit", by="bob")
    asked = tied.next_step()
    settled = end(hearing(tied, "edit"))

    assert isinstance(asked, Ask)
    assert (asked.role, asked.people, asked.needed) == ("tie_breaker", ("tia",), 1)
    assert (settled.decided_by, settled.answer) == ("quorum", OTHER)
    assert [(one.field, one.value, one.reviewers) for one in settled.dissent] == [("total", 12.5, ("ada",))]


def test_who_was_named_as_tie_breaker_and_has_answered_is_not_asked_again():
    """Then it is one more reviewer."""
    policy = {"quorum": 2, "reviewers": ("ada", "bob", "eve"), "tie_breakers": ("bob",)}
    asked = hearing(hearing(sitting(**policy), "approve", by="ada"), "edit", by="bob").next_step()

    assert isinstance(asked, Ask)
    assert (asked.role, asked.people) == ("tie_breaker", ("eve",))


def test_the_second_group_is_asked_when_nobody_of_the_first_is_left():
    """Rather than everybody, or nobody."""
    policy = {"quorum": 2, "reviewers": ("ada",), "widen_after_s": 60, "widen_to": ("bob", "eve")}
    after = hearing(sitting(**policy), "approve")
    asked = after.next_step()
    done = hearing(after, "approve")

    assert isinstance(asked, Ask)
    assert asked.people == ("bob", "eve")
    assert done.review(end(done)).widened


def test_a_list_with_nobody_left_is_never_open_to_all():
    """The policy alone could be honoured; with this requester it cannot, and says so."""
    policy = {"quorum": 2, "reviewers": ("req", "bob"), "tie_breakers": ("eve",)}
    after = hearing(sitting(**policy), "approve")

    with pytest.raises(ConfigError, match="nobody is left who may answer as reviewer without bob, req"):
        after.next_step()


def test_nobody_hands_a_case_over_to_themselves():
    """One of a quorum would else decide alone; the only one to escalate to must leave it to others."""
    alone = sitting(quorum=2, **NAMED, escalate_to=("ada",))
    both = sitting(quorum=2, **NAMED, escalate_to=("ada", "sue"))
    step = both.next_step()
    assert isinstance(step, Ask)
    handed_over = verdict(step, "escalate", "Ada", 0)
    after = hearing(both, handed_over).next_step()

    assert alone.objection(handed_over) == (
        "decision: Ada is the only one to escalate to; decide, or leave it to somebody else"
    )
    assert both.objection(handed_over) is None
    assert isinstance(after, Ask)
    assert after.people == ("sue",)


def test_who_it_was_escalated_to_sees_the_next_attempt_as_well():
    """Nobody else is asked about it."""
    step = sitting(quorum=2, escalate_to=("sue",)).model_copy(update={"escalated_before_by": ()}).next_step()

    assert isinstance(step, Ask)
    assert (step.role, step.people) == ("escalated", ("sue",))


def test_who_handed_an_attempt_over_does_not_decide_the_next_alone():
    """In whatever spelling; the review of both attempts says who it was."""
    both = sitting(quorum=2, **NAMED, escalate_to=("ada", "sue"))
    step = both.next_step()
    assert isinstance(step, Ask)
    first = hearing(hearing(both, verdict(step, "escalate", "Ada", 0)), "retry")
    by = first.review(end(first)).escalated_by
    asked = sitting(**dict(both.policy)).model_copy(update={"escalated_before_by": by}).next_step()

    assert by == ("Ada",)
    assert isinstance(asked, Ask)
    assert (asked.role, asked.people) == ("escalated", ("sue",))


def first_said(rule: SecondOpinion, *, confidence: float | None = 0.9, cost: Any = 1.0, **said: Any) -> str:
    """The role that is asked after a first verdict on a draft of 100 words; `''` where that settles it."""
    case = a_case(answer=Invoice, prompt=" ".join(["word"] * 98))
    generation = a_generation(answer=DRAFT, text="two words")
    score, policy = a_score(confidence), Policy(second_opinion=rule, error_cost=cost)
    before = Sitting(case=case, generation=generation, score=score, policy=policy)
    facts = {"opened_at": NOON, "decided_at": NOON + timedelta(hours=1), **said}
    step = before.model_copy(update={"heard": (Heard(ask=Ask(), said=a_verdict(**facts)),)}).next_step()
    return step.role if isinstance(step, Ask) else ""


EDIT, REJECT = {"decision": "edit", "answer": OTHER}, {"decision": "reject", "answer": None}
OVERRODE = SecondOpinion(overrode_at=0.8, words_per_minute=None)


@pytest.mark.parametrize(
    ("said", "confidence", "role"),
    [
        (EDIT, 0.8, "second"),
        (EDIT, 0.79, ""),
        (EDIT, None, ""),
        (REJECT, 0.8, "second"),
        ({}, 1.0, ""),
        ({"decision": "edit", "answer": DRAFT}, 1.0, ""),
    ],
)
def test_who_overrides_a_confident_draft_is_seconded(said, confidence, role):
    """From the given confidence on; an edit that changes nothing overrides nothing."""
    assert first_said(OVERRODE, confidence=confidence, **said) == role


@pytest.mark.parametrize(
    ("said", "cost", "role"),
    [
        ({}, 100.0, "second"),
        ({}, 99.0, ""),
        ({}, "total", ""),
        ({"decision": "edit", "answer": {"total": 100.0}}, "total", "second"),
        ({"decision": "edit", "answer": {"total": -100.0}}, "total", "second"),
        (REJECT, "total", ""),
        ({}, "nowhere", "second"),
    ],
)
def test_high_stakes_are_seconded(said, cost, role):
    """From the given cost on, of the draft or of what became of it; a cost that nobody can tell counts as high."""
    assert (
        first_said(SecondOpinion(overrode_at=None, error_cost_at=100, words_per_minute=None), cost=cost, **said) == role
    )


def test_an_edit_does_not_lower_the_stakes():
    """The draft's total counts although the first edited it away."""
    rule = SecondOpinion(overrode_at=None, error_cost_at=12.5, words_per_minute=None)

    assert first_said(rule, cost="total", decision="edit", answer={"total": 0.0}) == "second"


def after(**since: float) -> Any:
    return NOON + timedelta(**since)


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ({"decided_at": after(seconds=10)}, ""),
        ({"decided_at": after(seconds=9.999)}, "second"),
        ({"decided_at": after(hours=1), "seen_at": after(minutes=59, seconds=50)}, ""),
        ({"decided_at": after(hours=1), "seen_at": after(minutes=59, seconds=51)}, "second"),
        ({"decided_at": after(seconds=5), "seen_at": after(hours=-1)}, "second"),
        ({"decided_at": after(hours=1), "seen_at": after(hours=2)}, ""),
        ({"decided_at": after(hours=1), "bulk": True}, "second"),
    ],
)
def test_who_answers_faster_than_one_can_read_is_seconded(said, role):
    """100 words at 600 a minute take 10 seconds; `seen_at` counts only between opening and deciding."""
    assert first_said(SecondOpinion(overrode_at=None), **said) == role


def test_without_a_rule_one_is_enough():
    """However fast."""
    step = hearing(sitting(), "reject").next_step()

    assert isinstance(step, Settlement)
    assert (step.decision, step.decided_by) == ("reject", "human")
