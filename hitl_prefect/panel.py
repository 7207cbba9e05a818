"""Who is asked next about a draft, and when it is decided: told from the policy and from all that was heard.

A function of both and of nothing else, so that a flow that runs again from the top comes to the same step.
"""

from itertools import takewhile
from typing import Literal

from pydantic import AwareDatetime, JsonValue

from hitl_prefect.answers import answer_type
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.merging import merge, proposal, settled_by
from hitl_prefect.models import Case, Generation, Score
from hitl_prefect.outcomes import DECIDERS, PROBES, Probe, RefusedAnswer, Review, Role, Settlement, Verdict
from hitl_prefect.people import among
from hitl_prefect.policy import Policy
from hitl_prefect.probing import mistake_in, mistaken, probe_for
from hitl_prefect.stakes import is_doubtful

__all__ = ["Ask", "Heard", "Silence", "Sitting"]


class Ask(Frozen):
    """One time that somebody is asked."""

    role: Role = "reviewer"
    people: tuple[str, ...] = ()
    """Who may answer. Empty: anybody but `not_these`."""
    not_these: tuple[str, ...] = ()
    """Who may not: they have answered already, or they asked for the case."""
    named: bool = False
    """Whether an answer needs a name."""
    answered: int = 0
    """How many have answered so far, of those `needed`."""
    needed: int = 1
    """How many must answer before anything ships; none sees what another said."""
    silence_means: Literal["widen", "deadline"] | None = None
    """What nobody coming means after `patience_s`; `None`: nothing but a person ends the waiting."""
    patience_s: int | None = None
    """Seconds, counted from when somebody last did something."""

    @property
    def told_role(self) -> Role:
        """The role as names, labels and messages tell it: a probe is not given away."""
        return "reviewer" if self.role in PROBES else self.role


class Silence(Frozen):
    """Nobody came in time."""

    at: AwareDatetime
    meant: Literal["widen", "deadline"] = "deadline"


class Heard(Frozen):
    """Who was asked, and what came back."""

    ask: Ask
    said: Verdict | RefusedAnswer | Silence | None
    """`None`: the run came back without an answer, which decides nothing."""
    shown: JsonValue = None
    """The draft that was in the form, as it was recorded; of a seeded round the one that was made wrong."""


class Sitting(Frozen):
    """All that was heard about one draft so far."""

    case: Case
    generation: Generation
    score: Score
    policy: Policy
    heard: tuple[Heard, ...] = ()
    escalated_before_by: tuple[str, ...] | None = None
    """Who handed an earlier attempt over; then this one is as well, and not to them. Empty: the deadline did."""

    def next_step(self) -> Ask | Settlement:
        """Who is asked next, or how it ended.

        Raises:
            ConfigError: If the policy names nobody who may still be asked; `check_people` finds that before.
        """
        if (ended := self._ended_by_deadline) is not None:
            return ended
        if (probe := self._probe_due) is not None:
            return self._ask(probe)
        last = self.counted[-1] if self.counted else None
        if last is not None and (last.decision == "retry" or last.role in DECIDERS):
            return settled_by(last, self.decisive)
        if self.escalated:
            return self._ask("escalated")
        if len(self.counted) < self._needed:
            return self._ask("reviewer" if len(self.counted) < self.policy.quorum else "second")
        return merge(self.counted, self.generation.answer, self._fits) or self._ask("tie_breaker")

    def objection(self, said: Verdict) -> str | None:
        """Why a verdict does not count although the form allows it; `None` where it does."""
        barred = (*self._barred("escalated"), said.reviewer)
        if said.decision == "escalate" and not _without(self.policy.escalate_to, barred):
            return f"decision: {said.reviewer} is the only one to escalate to; decide, or leave it to somebody else"
        return None

    def repeated_exercise(self, answer: JsonValue) -> str | None:
        """Why an answer that says what an exercise made wrong is asked again; `None` where that was said already."""
        if not self.says_exercise(answer):
            return None
        why = (
            "answer: it says what the exercise before made wrong on purpose; if you mean it, choose edit, say it again"
        )
        latest = takewhile(lambda one: not isinstance(one.said, Verdict), reversed(self.heard))
        told = any(why in one.said.errors for one in latest if isinstance(one.said, RefusedAnswer))
        return None if told else why

    def says_exercise(self, answer: JsonValue) -> bool:
        """Whether an answer says what a seeded draft made wrong."""
        reader = answer_type(self.case.answer)
        try:
            stored = reader.as_json(reader.from_json(answer))
        except ValueError:
            stored = answer
        planted = (mistake_in(self.generation.answer, one.draft) for one in self.probes if one.kind == "seeded")
        return any(one.stands_in(stored) for one in planted if one is not None)

    @property
    def proposal(self) -> JsonValue:
        """What a tie-breaker's form is filled with."""
        return proposal(self.counted, self.generation.answer, self._fits)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What was said of the draft itself, in order."""
        return tuple(one for one in self._said_verdicts if one.role not in PROBES)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What the reviewing was measured by."""
        return tuple(
            Probe(kind="blind" if one.ask.role == "blind" else "seeded", draft=one.shown, verdict=one.said)
            for one in self.heard
            if isinstance(one.said, Verdict) and one.said.role in PROBES
        )

    @property
    def decisive(self) -> tuple[Verdict, ...]:
        """Those who said what should become of the draft, before and after it was handed over."""
        return tuple(one for one in self.verdicts if one.decision != "escalate")

    @property
    def counted(self) -> tuple[Verdict, ...]:
        """The verdicts that decide: after it was handed over only those of whom it was handed to."""
        return tuple(one for one in self.decisive if not self.escalated or one.role == "escalated")

    @property
    def escalated(self) -> bool:
        """Whether it was handed over, by a person or by the deadline."""
        by_deadline = self._deadline is not None and self.policy.on_deadline == "escalate"
        by_person = any(one.decision == "escalate" for one in self.verdicts)
        return self.escalated_before_by is not None or by_deadline or by_person

    @property
    def escalated_by(self) -> tuple[str, ...] | None:
        """Who handed over this draft, or the attempt before; empty: the deadline did; `None`: nobody did."""
        return self._handed_over_by if self.escalated else None

    @property
    def widened(self) -> bool:
        """Whether the second group has been asked as well: nobody came, or no other was left."""
        nobody_came = any(isinstance(one.said, Silence) and one.said.meant == "widen" for one in self.heard)
        asks = (one.ask for one in self.heard if one.ask.role not in DECIDERS)
        return nobody_came or any(not among(name, self.policy.reviewers) for ask in asks for name in ask.people)

    def review(self, settled: Settlement) -> Review:
        """All of it, with how it ended."""
        refused = tuple(one.said for one in self.heard if isinstance(one.said, RefusedAnswer))
        return Review(
            verdicts=self.verdicts,
            refused_answers=refused,
            probes=self.probes,
            settled=settled,
            escalated=self.escalated,
            widened=self.widened,
        )

    def shown(self, role: Role) -> Generation:
        """The draft that somebody in a role is shown."""
        wrong = mistaken(self.case, self.generation) if role == "seeded" else None
        return wrong or self.generation

    @property
    def _said_verdicts(self) -> tuple[Verdict, ...]:
        return tuple(one.said for one in self.heard if isinstance(one.said, Verdict))

    @property
    def _deadline(self) -> Silence | None:
        passed = (one.said for one in self.heard if isinstance(one.said, Silence))
        return next((one for one in passed if one.meant == "deadline"), None)

    @property
    def _ended_by_deadline(self) -> Settlement | None:
        if self._deadline is None or self.policy.on_deadline not in ("fallback", "reject"):
            return None
        return Settlement(decision=self.policy.on_deadline, decided_by="deadline", decided_at=self._deadline.at)

    @property
    def _handed_over_by(self) -> tuple[str, ...]:
        by = (one.reviewer for one in self.verdicts if one.decision == "escalate" and one.reviewer)
        return (*(self.escalated_before_by or ()), *by)

    @property
    def _probe_due(self) -> Literal["blind", "seeded"] | None:
        if self.escalated or any(one.role in PROBES for one in self._said_verdicts):
            return None
        return probe_for(self.case, self.generation, self.policy)

    @property
    def _needed(self) -> int:
        """How many must answer; a second opinion is one more than one."""
        if self.policy.quorum > 1 or not self.counted:
            return self.policy.quorum
        doubtful = is_doubtful(self.counted[0], self.case, self.generation, self.score, self.policy)
        return 2 if doubtful else 1

    def _ask(self, role: Role) -> Ask:
        barred = self._barred(role)
        people = self._people(role, barred)
        means, patience_s = self._patience(role)
        policy, decides = self.policy, role in DECIDERS
        return Ask(
            role=role,
            people=people,
            not_these=barred,
            named=bool(people or barred or policy.quorum > 1 or policy.second_opinion or policy.require_signature),
            answered=0 if decides else len(self.counted),
            needed=1 if decides else self._needed,
            silence_means=means,
            patience_s=patience_s,
        )

    def _people(self, role: Role, barred: tuple[str, ...]) -> tuple[str, ...]:
        """The first circle with somebody left in it; empty: anybody."""
        policy = self.policy
        everybody = (*policy.reviewers, *policy.widen_to)
        group = everybody if self.widened else policy.reviewers
        circles = {"escalated": (policy.escalate_to,), "tie_breaker": (policy.tie_breakers, group, everybody)}
        for circle in circles.get(role, (group, everybody)):
            if left := _without(circle, barred):
                return left
        if policy.reviewers or role == "escalated":
            raise ConfigError(
                f"case {self.case.id!r}: nobody is left who may answer as {role.replace('_', ' ')} without "
                f"{', '.join(barred)}: name more people in the policy"
            )
        return ()

    def _barred(self, role: Role) -> tuple[str, ...]:
        """Who may not answer: not twice, not about their own case, and not what they handed over."""
        requester = () if self.case.requester is None or self.policy.requester_may_review else (self.case.requester,)
        if role in PROBES:
            return requester
        if role == "escalated":
            return (*self._handed_over_by, *requester)
        return (*(one.reviewer for one in self.counted if one.reviewer), *requester)

    def _patience(self, role: Role) -> tuple[Literal["widen", "deadline"] | None, int | None]:
        policy = self.policy
        if policy.widen_after_s is not None and not self.widened and role not in DECIDERS:
            return "widen", policy.widen_after_s
        holds = policy.on_deadline == "hold" or (policy.on_deadline == "escalate" and self.escalated)
        return (None, None) if holds else ("deadline", policy.deadline_s)

    def _fits(self, answer: JsonValue) -> bool:
        try:
            answer_type(self.case.answer).from_json(answer)
        except ValueError:
            return False
        return True


def _without(names: tuple[str, ...], barred: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if not among(name, barred))
