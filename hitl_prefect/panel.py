"""Who is asked next about a draft, and when it is decided: told from the policy and from all that was heard.

A function of both and of nothing else, so that a flow that runs again from the top comes to the same step.
"""

from typing import Literal

from pydantic import AwareDatetime, JsonValue

from hitl_prefect.answers import answer_type
from hitl_prefect.frozen import Frozen
from hitl_prefect.merging import merge, settled_by
from hitl_prefect.models import Case, Generation, Score
from hitl_prefect.outcomes import Probe, RefusedAnswer, Review, Role, Settlement, Verdict
from hitl_prefect.people import same_person
from hitl_prefect.policy import Policy
from hitl_prefect.probing import mistaken, probe_for
from hitl_prefect.stakes import error_cost, too_fast, words_of

__all__ = ["Ask", "Heard", "Silence", "Sitting"]

_PROBES = ("blind", "seeded")


class Ask(Frozen):
    """One time that somebody is asked."""

    role: Role = "reviewer"
    people: tuple[str, ...] = ()
    """Who may answer. Empty: anybody but `not_these`."""
    not_these: tuple[str, ...] = ()
    """Who may not: they have answered already, or they asked for the case."""
    named: bool = False
    """Whether an answer needs a name."""
    silence_means: Literal["widen", "deadline"] | None = None
    """What nobody coming means after `patience_s`; `None`: nothing but a person ends the waiting."""
    patience_s: int | None = None
    """Seconds, counted from when somebody last did something."""


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
    escalated_before: bool = False
    """Whether an earlier attempt was handed over; then this one is as well."""

    def next_step(self) -> Ask | Settlement:
        """Who is asked next, or how it ended."""
        if (silence := self._deadline) and self.policy.on_deadline != "escalate":
            decision: Literal["fallback", "reject"] = "fallback" if self.policy.on_deadline == "fallback" else "reject"
            return Settlement(decision=decision, decided_by="deadline", decided_at=silence.at)
        if (probe := self._probe_due) is not None:
            return self._ask(probe)
        last = self.counted[-1] if self.counted else None
        if last is not None and (last.decision == "retry" or last.role in ("tie_breaker", "escalated")):
            return settled_by(last, self.decisive)
        if self.escalated:
            return self._ask("escalated")
        if len(self.counted) < self._needed:
            return self._ask("reviewer" if len(self.counted) < self.policy.quorum else "second")
        return merge(self.counted, self.generation.answer, self._fits) or self._ask("tie_breaker")

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What was said of the draft itself, in order."""
        return tuple(one for one in self._said_verdicts if one.role not in _PROBES)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What the reviewing was measured by."""
        return tuple(
            Probe(kind="blind" if one.ask.role == "blind" else "seeded", draft=one.shown, verdict=one.said)
            for one in self.heard
            if isinstance(one.said, Verdict) and one.said.role in _PROBES
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
        return self.escalated_before or by_deadline or any(one.decision == "escalate" for one in self.verdicts)

    @property
    def widened(self) -> bool:
        """Whether the second group is asked as well."""
        return any(isinstance(one.said, Silence) and one.said.meant == "widen" for one in self.heard)

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
    def _probe_due(self) -> Literal["blind", "seeded"] | None:
        if self.escalated or any(one.role in _PROBES for one in self._said_verdicts):
            return None
        return probe_for(self.case, self.generation, self.policy)

    @property
    def _needed(self) -> int:
        """How many must answer; a second opinion is one more than one."""
        if self.policy.quorum > 1 or not self.counted:
            return self.policy.quorum
        return 2 if self._doubtful(self.counted[0]) else 1

    def _doubtful(self, first: Verdict) -> bool:
        """Whether the policy wants a second opinion beside this one."""
        rule = self.policy.second_opinion
        if rule is None:
            return False
        overrode = first.decision != "approve" and rule.overrode_at is not None
        if overrode and (self.score.confidence or 0) >= (rule.overrode_at or 0):
            return True
        costs = error_cost(self.policy, self.generation.answer if first.answer is None else first.answer)
        if rule.error_cost_at is not None and (costs is None or costs >= rule.error_cost_at):
            return True
        words = words_of(*(message.text for message in self.case.messages), self.generation.text)
        return rule.words_per_minute is not None and too_fast(first, words, rule.words_per_minute)

    def _ask(self, role: Role) -> Ask:
        barred = self._barred(role)
        people = self._people(role)
        means, patience_s = self._patience(role)
        policy = self.policy
        return Ask(
            role=role,
            people=tuple(one for one in people if not _among(one, barred)) if people else (),
            not_these=barred,
            named=bool(people or barred or policy.quorum > 1 or policy.second_opinion or policy.require_signature),
            silence_means=means,
            patience_s=patience_s,
        )

    def _people(self, role: Role) -> tuple[str, ...]:
        if role == "escalated":
            return self.policy.escalate_to
        group = (*self.policy.reviewers, *(self.policy.widen_to if self.widened else ()))
        if role != "tie_breaker":
            return group
        fresh = tuple(one for one in self.policy.tie_breakers if not _among(one, self._barred(role)))
        return fresh or group

    def _barred(self, role: Role) -> tuple[str, ...]:
        requester = () if self.case.requester is None or self.policy.requester_may_review else (self.case.requester,)
        if role in (*_PROBES, "escalated"):
            return requester
        return (*(one.reviewer for one in self.counted), *requester)

    def _patience(self, role: Role) -> tuple[Literal["widen", "deadline"] | None, int | None]:
        policy = self.policy
        if policy.widen_after_s is not None and not self.widened and role not in ("escalated", "tie_breaker"):
            return "widen", policy.widen_after_s
        holds = policy.on_deadline == "hold" or (policy.on_deadline == "escalate" and self.escalated)
        return (None, None) if holds else ("deadline", policy.deadline_s)

    def _fits(self, answer: JsonValue) -> bool:
        try:
            answer_type(self.case.answer).from_json(answer)
        except ValueError:
            return False
        return True


def _among(name: str, names: tuple[str, ...]) -> bool:
    return any(same_person(name, other) for other in names)
