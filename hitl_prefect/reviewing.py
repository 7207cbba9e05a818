"""Ask a person about a draft until there is a decision, or the deadline has decided.

Each time that somebody is asked is a round of its own, with a pause key of its own: Prefect never fires a key twice,
so a retry, an empty resume or an answer that did not apply can always be followed by another round.
"""

from datetime import UTC, datetime, timedelta
from itertools import count

from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import AwareDatetime

from hitl_prefect.desk import Round, Typed, Waited, check_place, tag_run, typed_in, wait_for_person
from hitl_prefect.errors import AnswerRefused, ConfigError
from hitl_prefect.forms import build_form, read_form
from hitl_prefect.frozen import Frozen
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.outcomes import RefusedAnswer, Review, Verdict
from hitl_prefect.policy import Policy

__all__ = ["areview", "review"]


class _Silence(Frozen):
    """Nobody came before the deadline."""

    at: AwareDatetime


async def areview(
    case: Case, generation: Generation, score: Score, route: Route, *, policy: Policy, escalated: bool = False
) -> Review:
    """Ask a person about a draft.

    Call it in the body of a flow. In a deployment the flow run is suspended: the process ends here, and when somebody
    has answered the flow runs again from the top and gets the review. Elsewhere the run is paused and waits.

    Args:
        case: What was asked.
        generation: The draft; what is approved is this draft and no other.
        score: How sure the machine was.
        route: Why a person is asked.
        policy: Who may answer, until when, and what nobody coming means.
        escalated: Whether an earlier attempt was handed over to `policy.escalate_to`; then they are asked again.

    Returns:
        The review: its last verdict is `approve`, `edit`, `reject` or `retry`, or the deadline has passed.

    Raises:
        ConfigError: If a review cannot wait here: no flow run, a task, a subflow.
    """
    how = check_place()
    async with open_journal(case) as journal:
        if journal is None:
            raise ConfigError("a review needs a flow run: call it in the body of a function with @flow")
        await tag_run(journal.client, journal.flow_run_id)
        return await _Asking(journal, how, case, generation, score, route, policy, escalated=escalated).settle()


def review(
    case: Case, generation: Generation, score: Score, route: Route, *, policy: Policy, escalated: bool = False
) -> Review:
    """The same as `areview`, for a flow that is not async."""
    # A plain function, not a flow: Prefect refuses to suspend a subflow.
    return run_coro_as_sync(areview(case, generation, score, route, policy=policy, escalated=escalated))


class _Asking:
    """All rounds about one draft."""

    def __init__(
        self,
        journal: Journal,
        how: str,
        case: Case,
        generation: Generation,
        score: Score,
        route: Route,
        policy: Policy,
        *,
        escalated: bool,
    ) -> None:
        self.journal, self.how, self.policy = journal, how, policy
        self.case, self.generation, self.score, self.route = case, generation, score, route
        self.verdicts: list[Verdict] = []
        self.refused: list[RefusedAnswer] = []
        self.escalated = escalated
        self.to_mend: RefusedAnswer | None = None
        """The answer that this round asks to mend; none after a verdict."""
        self.void: Round | None = None
        """The round before, where it came back without any answer: the next one keeps its deadline."""

    async def settle(self) -> Review:
        """Go through the rounds, those of earlier runs included, until one settles."""
        for number in count(1):
            asked = self.journal.read(self._step("round", number), Round) or await self._ask(number)
            heard = await self._heard(asked)
            self.void = asked if heard is None else None
            self.to_mend = heard if isinstance(heard, RefusedAnswer) else self.to_mend if heard is None else None
            if isinstance(heard, Verdict):
                self.verdicts.append(heard)
                if heard.decision != "escalate":
                    return self._review()
                self.escalated = True
            elif isinstance(heard, RefusedAnswer):
                self.refused.append(heard)
            elif isinstance(heard, _Silence):
                if self.policy.on_deadline != "escalate":
                    return self._review(heard.at)
                self.escalated = True
        raise AssertionError("count() does not end")

    def _review(self, deadline_passed_at: datetime | None = None) -> Review:
        return Review(
            verdicts=tuple(self.verdicts),
            refused_answers=tuple(self.refused),
            deadline_passed_at=deadline_passed_at,
            escalated=self.escalated,
        )

    def _step(self, name: str, number: int) -> str:
        return f"{name}-{self.generation.attempt}-{number}"

    async def _ask(self, number: int) -> Round:
        asked = await self.journal.record(self._step("round", number), self._round(number))
        await wait_for_person(self.journal, asked, self._labels(asked), self._message())
        return asked

    def _round(self, number: int) -> Round:
        opened_at = datetime.now(UTC)
        deadline_at = self.void.deadline_at if self.void else self._deadline(opened_at)
        return Round(
            number=number,
            attempt=self.generation.attempt,
            pause_key=f"{self.journal.slug}-{self.generation.attempt}-{number}",
            how="suspended" if self.how == "suspended" else "paused",
            form=build_form(
                self.case,
                self.generation,
                self.score,
                self.route,
                self.policy,
                errors=self.to_mend.errors if self.to_mend else (),
                typed=self.to_mend.typed if self.to_mend else None,
                deadline_at=deadline_at,
                escalated=self.escalated,
            ),
            opened_at=opened_at,
            deadline_at=deadline_at,
            escalated=self.escalated,
        )

    def _deadline(self, opened_at: datetime) -> datetime | None:
        acts = self.policy.on_deadline != "hold" and not (self.policy.on_deadline == "escalate" and self.escalated)
        return opened_at + timedelta(seconds=self.policy.deadline_s) if acts else None

    def _labels(self, asked: Round) -> dict[str, str | float]:
        sure = self.score.confidence
        return {
            "hitl.case": self.case.id,
            "hitl.task": self.case.task,
            "hitl.reason": self.route.reason,
            "hitl.attempt": asked.attempt,
            "hitl.opened_at": asked.opened_at.isoformat(),
            "hitl.deadline_at": asked.deadline_at.isoformat() if asked.deadline_at else "",
            # Labels are merged: an empty one takes the place of an earlier attempt's.
            "hitl.confidence": "" if sure is None else sure,
        }

    def _message(self) -> str:
        return f"{self.case.task}, case {self.case.id}: {self.route.reason.replace('_', ' ')}"

    async def _heard(self, asked: Round) -> Verdict | RefusedAnswer | _Silence | None:
        """What this round brought; `None` where the run came back without an answer, which decides nothing."""
        verdict, refused = (self._step(name, asked.number) for name in ("verdict", "refused"))
        if before := self.journal.read(verdict, Verdict) or self.journal.read(refused, RefusedAnswer):
            return before
        if (typed := await typed_in(self.journal, asked)) is None:
            return await self._silence(asked)
        heard = self._read(asked, typed)
        return await self.journal.record(verdict if isinstance(heard, Verdict) else refused, heard)

    async def _silence(self, asked: Round) -> _Silence | None:
        step = self._step("silence", asked.number)
        if silence := self.journal.read(step, _Silence):
            return silence
        now, waited = datetime.now(UTC), self.journal.read(self._step("waited", asked.number), Waited)
        return await self.journal.record(step, _Silence(at=now)) if waited and asked.overdue(now) else None

    def _read(self, asked: Round, typed: Typed) -> Verdict | RefusedAnswer:
        seen = {"form_sha256": asked.form.sha256, "decided_at": typed.at}
        if asked.form.draft_sha256 != self.generation.sha256:
            return RefusedAnswer(errors=("the draft is no longer the one that was shown",), typed=typed.data, **seen)
        try:
            answer = read_form(asked.form, self.case, typed.data)
        except AnswerRefused as exc:
            return RefusedAnswer(errors=exc.errors, typed=typed.data, **seen)
        return Verdict(
            **answer.model_dump(),
            attempt=asked.attempt,
            draft_sha256=asked.form.draft_sha256,
            opened_at=asked.opened_at,
            **seen,
        )
