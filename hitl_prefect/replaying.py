"""What another policy would have done with cases that are decided: reviews saved and added, and errors let through.

The drafts and scores are those that are stored; only the way that a case takes is worked out anew. How often the new
policy would have been wrong is told by the labels that there are, each for all cases that it stands for. What nobody
ever looked at stays unknown, and unknown is never taken for right.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from pydantic import JsonValue

from hitl_prefect.estimates import ErrorRate, error_of_all
from hitl_prefect.evidence import Evidence, evidence_of, first_attempt
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import short, visible
from hitl_prefect.models import Case
from hitl_prefect.outcomes import Outcome
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import newest
from hitl_prefect.protocols import Store
from hitl_prefect.reading import Unreadable, read_outcomes
from hitl_prefect.routing import route
from hitl_prefect.scoring import scores_as

__all__ = ["Replay", "TaskReplay", "replay"]


class TaskReplay(Frozen):
    """What a policy would have done with the cases of one task."""

    task: str
    cases: int
    scored_otherwise: int
    """Cases with a score that the new policy would not give: by other scorers, or another way to combine them. They are
    replayed with the score that is stored."""
    reviews_before: int
    reviews_after: int
    """With the audits that the policy draws."""
    newly_reviewed: int
    newly_accepted: int
    """Cases that a person was asked about because of the policy then, audits left aside, and would not be now."""
    unlabelled: int
    """Of those, the ones that no person decided: whether they are right, nobody knows."""
    error_before: ErrorRate | None
    """Of what was accepted; `None` where nobody knows, such as without audits."""
    error_after: ErrorRate | None
    """Of what would be accepted."""
    error_of_new: ErrorRate | None
    """Of what is newly accepted."""
    budget: float | None
    """The largest error rate that is allowed, where one is given."""
    verdict: Literal["holds", "rises", "unknown"]
    """Whether the risk stays within the budget, or without one at what it is today."""
    why: str


class Replay(Frozen):
    """What a policy would have done with what is stored."""

    policy_version: str
    tasks: tuple[TaskReplay, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def is_safe(self) -> bool:
        """Whether the risk rises in no task, as far as is known, and is known in each."""
        return all(one.verdict == "holds" for one in self.tasks)


def replay(store: Store, policy: Policy, *, task: str | None = None, max_error: float | None = None) -> Replay:
    """Route every stored first draft anew.

    Args:
        store: Where the outcomes are, and the bars in force for a policy that has a risk budget and none of its own.
        policy: The new one.
        task: Only the cases of one task.
        max_error: The largest error rate among accepted cases that is allowed; the policy's own if empty.

    Raises:
        StoreError: If the store is down, or lets nobody list.
    """
    tasks: dict[str, list[_Case]] = defaultdict(list)
    broken = list[Unreadable]()
    pinned = cache(lambda name: _pinned(policy, name, store))
    for one in read_outcomes(store, task):
        if isinstance(one, Unreadable):
            broken.append(one)
        else:
            tasks[one.case.task].append(_case(one, pinned(one.case.task)))
    budget = policy.max_error if max_error is None else max_error
    found = tuple(_task(name, tasks[name], budget) for name in sorted(tasks))
    return Replay(policy_version=policy.version, tasks=found, unreadable=tuple(broken))


def _pinned(policy: Policy, task: str, store: Store) -> Policy:
    """With the bars that a flow run would begin with today."""
    if policy.promise is None or policy.calibrated is not None:
        return policy
    return policy.with_calibrated(newest(store, task))


class _Case(NamedTuple):
    """A case under both policies; one that is audited counts as accepted, as it would have been but for the lot."""

    evidence: Evidence
    was_accepted: bool
    is_accepted: bool
    is_reviewed: bool
    is_scored_otherwise: bool


def _case(outcome: Outcome[JsonValue], policy: Policy) -> _Case:
    first, record, evidence = first_attempt(outcome), outcome.case, evidence_of(outcome)
    case = Case(id=record.id, task=record.task, prompt=record.messages or "-", metadata=record.metadata)
    now = route(case, first.generation, first.score, policy=policy)
    return _Case(
        evidence=evidence,
        was_accepted=evidence.action == "accept" or evidence.reason == "audit",
        is_accepted=now.action == "accept" or now.reason == "audit",
        is_reviewed=now.action == "review",
        is_scored_otherwise=evidence.confidence is not None and not scores_as(policy, evidence.key.scorer),
    )


def _task(task: str, cases: Sequence[_Case], budget: float | None) -> TaskReplay:
    new = [one.evidence for one in cases if one.is_accepted and not one.was_accepted]
    before = error_of_all(one.evidence for one in cases if one.was_accepted)
    after = error_of_all(one.evidence for one in cases if one.is_accepted)
    risk = _Risk(
        newly=len(new),
        accepted=sum(one.is_accepted for one in cases),
        before=before,
        after=after,
        new=error_of_all(new),
        budget=budget,
        scored_today=_scored_otherwise_today(cases),
    )
    verdict, why = risk.judged()
    return TaskReplay(
        task=task,
        cases=len(cases),
        scored_otherwise=sum(one.is_scored_otherwise for one in cases),
        reviews_before=sum(one.evidence.action == "review" for one in cases),
        reviews_after=sum(one.is_reviewed for one in cases),
        newly_reviewed=sum(one.was_accepted and not one.is_accepted for one in cases),
        newly_accepted=len(new),
        unlabelled=sum(one.right is None for one in new),
        error_before=before,
        error_after=after,
        error_of_new=risk.new,
        budget=budget,
        verdict=verdict,
        why=why,
    )


def _scored_otherwise_today(cases: Iterable[_Case]) -> str:
    """How the newest score was made, where the policy makes others; what was once scored otherwise is no change."""
    scored = (one for one in cases if one.evidence.confidence is not None)
    newest = max(scored, key=lambda one: one.evidence.decided_at, default=None)
    return newest.evidence.key.scorer if newest is not None and newest.is_scored_otherwise else ""


_Verdict = tuple[Literal["holds", "rises", "unknown"], str]


@dataclass(frozen=True)
class _Risk:
    """What is known of the error rates, and what is allowed."""

    newly: int
    accepted: int
    before: ErrorRate | None
    after: ErrorRate | None
    new: ErrorRate | None
    budget: float | None
    scored_today: str

    def judged(self) -> _Verdict:
        """By the estimates: an interval that must lie below would refuse nearly every change of a few hundred cases."""
        if self.scored_today:
            return "unknown", (
                f"scores are made by {short(visible(self.scored_today))} today, and the new policy makes others; "
                "change the scorers by themselves, and replay once cases are scored by them"
            )
        if not self.accepted:
            return "holds", "nothing would be accepted: a person sees every case"
        if self.budget is not None:
            return self._against_budget(self.budget)
        if not self.newly:
            return "holds", "nothing is accepted that was not accepted before"
        if self.new is None:
            return "unknown", "too few of what is newly accepted were ever decided by a person"
        if self.before is None or self.after is None:
            return self._by_the_new_alone(self.new)
        return _compared(self.after.value, self.before.value, "today's")

    def _against_budget(self, budget: float) -> _Verdict:
        if self.after is None:
            return "unknown", "too few of what would be accepted were ever decided by a person"
        return _compared(self.after.value, budget, "the budget of")

    def _by_the_new_alone(self, new: ErrorRate) -> _Verdict:
        if new.value:
            return "rises", "some of what is newly accepted is wrong, and of what is accepted today nobody knows"
        return "holds", "none of what is newly accepted was found wrong"


def _compared(rate: float, limit: float, whose: str) -> _Verdict:
    said = f"{rate:.1%} of what is accepted is wrong, against {whose} {limit:.1%}"
    return ("rises" if rate > limit + 1e-9 else "holds"), said
