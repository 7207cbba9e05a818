"""What is checked of one stored outcome: each check is a function that yields one sentence per finding.

A check may raise `ValueError` where an outcome cannot be gone through again; that is a finding too.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, JsonValue

from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.evidence import first_attempt
from hitl_prefect.models import Case, Generation, Score
from hitl_prefect.outcomes import IndexEntry, Outcome, Settlement, Verdict, index_key, outcome_key
from hitl_prefect.panel import Ask, Heard, Silence, Sitting
from hitl_prefect.people import Probes, among
from hitl_prefect.policy import Policy
from hitl_prefect.routing import route
from hitl_prefect.scorers.equality import same
from hitl_prefect.signatures import SignatureState, signature_state

__all__ = ["CHECKS", "Check", "Policies", "Stored"]

Policies = Mapping[str, Policy]
"""By version, as routes name them."""


class Stored(NamedTuple):
    """One outcome as it is stored."""

    index_key: str
    """Under which key its index entry stands."""
    entry: IndexEntry
    body: bytes
    outcome: Outcome[JsonValue]
    policies: Policies

    @property
    def policy(self) -> Policy | None:
        """The policy that it was made under, where it was given."""
        return self.policies.get(self.outcome.route.policy_version)

    @property
    def said(self) -> tuple[Verdict, ...]:
        """Every verdict, also those that measured the reviewing."""
        review = self.outcome.review
        return (*review.verdicts, *(one.verdict for one in review.probes)) if review else ()

    def state_of(self, verdict: Verdict) -> SignatureState:
        """What a verdict's signature is worth; without the policy nobody can tell."""
        case = self.outcome.case
        if verdict.signature is None or self.policy is None:
            return "missing" if verdict.signature is None else "unknown"
        return signature_state(verdict, task=case.task, case=case.id, policy=self.policy)


Check = Callable[[Stored], Iterator[str]]


def _fits_its_sha256(stored: Stored) -> Iterator[str]:
    if hashlib.sha256(stored.body).hexdigest() != stored.entry.sha256:
        yield f"its bytes are not those that {stored.index_key} names: it was changed after it was stored"


def _fits_its_key(stored: Stored) -> Iterator[str]:
    case = stored.outcome.case
    if outcome_key(stored.outcome) != stored.entry.key or index_key(case.task, case.id) != stored.index_key:
        yield f"it is the outcome of case {case.id!r} of task {case.task!r} and belongs under another key"


def _is_about_its_drafts(stored: Stored) -> Iterator[str]:
    """Each verdict is about a draft of this case, and what `approve` let ship is that draft."""
    outcome = stored.outcome
    if outcome.is_answered_elsewhere:
        yield from _is_alike(outcome)
        return
    drafts = {draft.sha256: draft for draft in outcome.drafts}
    for verdict in outcome.review.verdicts if outcome.review else ():
        draft = drafts.get(verdict.draft_sha256)
        if draft is None or draft.attempt != verdict.attempt:
            yield f"{_who(verdict)} is about a draft that is not among its attempts"
        elif verdict.decision == "approve" and not _same(verdict.answer, draft.answer):
            yield f"{_who(verdict)} approves another answer than the draft that it names"


def _is_alike(outcome: Outcome[JsonValue]) -> Iterator[str]:
    """Each verdict is about the draft that its group was shown, and what was approved is what its own draft says."""
    review = outcome.review
    for verdict in review.verdicts if review else ():
        if review and review.group and verdict.draft_sha256 != review.group.draft_sha256:
            yield f"{_who(verdict)} is about another draft than the one that its group was shown"
        elif verdict.decision == "approve" and not same(verdict.answer, outcome.generation.answer):
            yield f"{_who(verdict)} approves for its group what its own draft does not say"


def _ships_what_was_settled(stored: Stored) -> Iterator[str]:
    outcome = stored.outcome
    settled, who = outcome.review.settled if outcome.review else None, outcome.decided_by
    if who == "model":
        yield from _is_the_models_own(outcome)
    elif who == "policy":
        yield from _is_the_policys_own(outcome)
    elif who == "audit":
        yield from _is_an_audits(outcome, settled)
    elif settled is None:
        yield f"it was decided by {who}, and holds no review"
    elif not _same_ending(settled, outcome.decision, _settled_answer(outcome), who):
        yield "its final answer is not what its review settled"


def _is_an_audits(outcome: Outcome[JsonValue], settled: Settlement | None) -> Iterator[str]:
    if first_attempt(outcome).route.reason != "audit":
        yield "it says that it was decided by an audit, and none was drawn"
    if settled is None or settled.decided_by == "deadline":
        yield "it says that it was decided by an audit, and no person settled it"
    elif not _same_ending(settled, outcome.decision, _settled_answer(outcome), settled.decided_by):
        yield "its final answer is not what its review settled"


def _is_the_models_own(outcome: Outcome[JsonValue]) -> Iterator[str]:
    if outcome.route.action == "review":
        yield "it was sent to a person and decided by the model"
    if outcome.decision != "accept" or not _same(outcome.final_answer, outcome.generation.answer):
        yield "its final answer is not the draft that was accepted"
    if outcome.review is not None:
        yield "it was decided by the model, and holds a review"


def _is_the_policys_own(outcome: Outcome[JsonValue]) -> Iterator[str]:
    if outcome.decision not in ("reject", "fallback"):
        yield f"it was decided by the policy, which never decides {outcome.decision!r}"
    if outcome.review is not None:
        yield "it was decided by the policy because there was no review left, and holds a review"


def _settled_answer(outcome: Outcome[JsonValue]) -> JsonValue:
    """What the settlement must say of the final answer; of a fallback nothing, since the policy holds it."""
    return None if outcome.decision == "fallback" else outcome.final_answer


def _settled_by_its_verdicts(stored: Stored) -> Iterator[str]:
    """The policy asks these people in this order and as these roles, and comes to the same settlement again."""
    outcome, policy = stored.outcome, stored.policy
    # What was said of a group is gone through where it was said: in the outcome of the case that the form was about.
    if outcome.review is None or policy is None or outcome.is_answered_elsewhere:
        return
    again = _gone_through(outcome, policy)
    if isinstance(again, str):
        yield again
    else:
        yield from _settled_as(outcome.review.settled, again.next_step())


def _settled_as(settled: Settlement, step: Ask | Settlement) -> Iterator[str]:
    if settled.decided_by == "deadline":
        if isinstance(step, Settlement):
            yield "its verdicts settle it, and it says that the deadline did"
    elif isinstance(step, Ask):
        yield f"its policy asks somebody more: a {step.role}'s verdict is missing"
    elif not _same_ending(settled, step.decision, step.answer, step.decided_by) or settled.dissent != step.dissent:
        yield "its verdicts do not lead to what it says was settled"


def _gone_through(outcome: Outcome[JsonValue], policy: Policy) -> Sitting | str:
    """All that was said of the last draft, after all before it; or why the policy would not have asked for it."""
    by: tuple[str, ...] | None = None
    for one in outcome.earlier:
        again = _heard_again(outcome, policy, one.generation, one.score, escalated_by=by)
        if isinstance(again, str):
            return again
        by = again.escalated_by
    return _heard_again(outcome, policy, outcome.generation, outcome.score, escalated_by=by)


def _heard_again(
    outcome: Outcome[JsonValue],
    policy: Policy,
    generation: Generation,
    score: Score,
    *,
    escalated_by: tuple[str, ...] | None,
) -> Sitting | str:
    """All that was said of one draft; or why the policy would not have asked for it."""
    sitting = Sitting(
        case=_case(outcome),
        generation=generation,
        score=score,
        # Probes decide nothing, and are left out.
        policy=policy.model_copy(update={"probes": Probes()}),
        escalated_before_by=escalated_by,
    )
    for said in outcome.review.verdicts if outcome.review else ():
        if said.attempt != generation.attempt:
            continue
        sitting, ask = _asked(sitting, said)
        if ask is None or ask.role != said.role:
            return f"{_who(said)} was given as {said.role}, and its policy asks nobody as that there"
        if not _may_answer(ask, said, policy.widen_to if outcome.review and outcome.review.widened else ()):
            return f"{_who(said)} counts as one whom its policy does not ask there"
        sitting = _with(sitting, ask, said)
    return sitting


def _asked(sitting: Sitting, said: Verdict) -> tuple[Sitting, Ask | None]:
    """Who is asked when somebody answers; what only the clock or the answer type knows is taken from the answer."""
    step = sitting.next_step()
    if isinstance(step, Ask) and said.role == "escalated" != step.role and sitting.policy.on_deadline == "escalate":
        sitting = _with(sitting, step, Silence(at=said.decided_at))
        step = sitting.next_step()
    if isinstance(step, Settlement) and said.role == "tie_breaker":
        # A majority's answer that the answer type refuses went to a tie-breaker.
        refusing = sitting.case.model_copy(update={"answer": _REFUSED})
        step = sitting.model_copy(update={"case": refusing}).next_step()
    return sitting, step if isinstance(step, Ask) else None


def _refuse(_: JsonValue) -> JsonValue:
    raise ValueError("no answer fits")


# Not `Never`: pydantic has no schema of it.
_REFUSED: Any = Annotated[Any, AfterValidator(_refuse)]
"""An answer type that takes nothing."""


def _may_answer(ask: Ask, said: Verdict, widened_to: tuple[str, ...]) -> bool:
    if among(said.reviewer, ask.not_these) or (ask.named and not said.reviewer):
        return False
    others = widened_to if ask.role != "escalated" else ()
    return not ask.people or among(said.reviewer, (*ask.people, *others))


def _with(sitting: Sitting, ask: Ask, said: Verdict | Silence) -> Sitting:
    return sitting.model_copy(update={"heard": (*sitting.heard, Heard(ask=ask, said=said))})


def _is_decided_by_whom_its_policy_lets(stored: Stored) -> Iterator[str]:
    """Neither the model nor the deadline takes the place of a person whom the policy asks."""
    outcome, policy = stored.outcome, stored.policy
    if policy is None:
        return
    again = route(_case(outcome), outcome.generation, outcome.score, policy=policy)
    if outcome.decided_by == "model" and again.action == "review":
        yield f"its policy sends it to a person ({again.reason.replace('_', ' ')}), and the model decided"
    if outcome.decided_by == "policy" and outcome.decision != policy.over_budget:
        yield f"its policy decided {outcome.decision!r} over its budget, and says {policy.over_budget!r}"
    elif outcome.decided_by == "deadline" and outcome.decision != policy.on_deadline:
        yield f"its deadline decided {outcome.decision!r}, and its policy says {policy.on_deadline!r}"
    elif outcome.decision == "fallback" and not _tells_the_same(policy.fallback, outcome.final_answer):
        yield "its final answer is not the fallback of its policy"


def _is_signed(stored: Stored) -> Iterator[str]:
    if stored.policies and stored.policy is None:
        yield f"it was made under policy {stored.outcome.route.policy_version}, which is not among those given"
    for verdict in stored.said:
        state = stored.state_of(verdict)
        if state == "wrong":
            yield f"{_who(verdict)} has a signature that is not theirs, or not for this verdict"
        elif state != "good" and stored.policy is not None and stored.policy.require_signature:
            yield f"{_who(verdict)} lacks the signature that the policy requires"


CHECKS: tuple[Check, ...] = (
    _fits_its_sha256,
    _fits_its_key,
    _is_about_its_drafts,
    _ships_what_was_settled,
    _settled_by_its_verdicts,
    _is_decided_by_whom_its_policy_lets,
    _is_signed,
)
"""What is checked of each outcome; each yields one sentence per finding."""


def _case(outcome: Outcome[JsonValue]) -> Case:
    """The case as far as it is stored.

    Its answer type is not. In a review it would refuse no more than what went to a tie-breaker, whose verdict
    counts alone.
    """
    case = outcome.case
    return Case(
        id=case.id,
        task=case.task,
        prompt=case.messages,
        answer=Any,
        # It may name the version of the prompt, which a bar is for.
        metadata=case.metadata,
        requester=case.requester,
    )


def _same_ending(settled: Settlement, decision: str, answer: JsonValue, decided_by: str) -> bool:
    return (settled.decision, settled.decided_by) == (decision, decided_by) and _same(settled.answer, answer)


def _same(one: JsonValue, other: JsonValue) -> bool:
    return canonical_bytes(one) == canonical_bytes(other)


def _tells_the_same(one: JsonValue, stored: JsonValue) -> bool:
    """Whether an answer can be what the answer type made of another: it may add or drop fields, and change a kind."""
    if isinstance(one, dict) and isinstance(stored, dict):
        return all(_tells_the_same(one[name], stored[name]) for name in one.keys() & stored.keys())
    if isinstance(one, list) and isinstance(stored, list):
        return len(one) == len(stored) and all(map(_tells_the_same, one, stored))
    if isinstance(one, str) and isinstance(stored, str):
        return one.strip() == stored.strip()
    return one == stored or _kind(one) is not _kind(stored)


def _kind(value: JsonValue) -> type:
    return int if isinstance(value, float) else type(value)


def _who(verdict: Verdict) -> str:
    return f"{verdict.decision} by {verdict.reviewer!r}"
