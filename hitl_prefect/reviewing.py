"""Ask people about a draft until there is a decision, or the deadline has decided.

Each time that somebody is asked is a round of its own, with a pause key of its own: Prefect never fires a key twice,
so a retry, an empty resume or an answer that did not apply can always be followed by another round.
"""

from datetime import UTC, datetime, timedelta
from itertools import count

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.briefs import Brief
from hitl_prefect.desk import Round, Typed, Waited, check_place, typed_in, wait_for_person
from hitl_prefect.errors import AnswerRefused, ConfigError
from hitl_prefect.forms import build_form, read_form
from hitl_prefect.inbox_page import refresh_page
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.outcomes import RefusedAnswer, Review, Settlement, Verdict
from hitl_prefect.panel import Ask, Heard, Silence, Sitting
from hitl_prefect.policy import Policy
from hitl_prefect.signposts import ask_labels, settled_name, tag_run, tell_settled, waiting_name
from hitl_prefect.stakes import expected_loss

__all__ = ["areview", "review"]


async def areview(
    case: Case,
    generation: Generation,
    score: Score,
    route: Route,
    *,
    policy: Policy,
    escalated: bool = False,
    earlier: Generation | None = None,
) -> Review:
    """Ask people about a draft.

    Call it in the body of a flow. In a deployment the flow run is suspended: the process ends here, and when somebody
    has answered the flow runs again from the top and gets the review. Elsewhere the run is paused and waits.

    Args:
        case: What was asked.
        generation: The draft; what is approved is this draft and no other.
        score: How sure the machine was.
        route: Why a person is asked.
        policy: Who may answer, how many, until when, and what nobody coming means.
        escalated: Whether an earlier attempt was handed over to `policy.escalate_to`; then they are asked again.
        earlier: The attempt before, to show what became different.

    Returns:
        The review: `settled` says how it ended; `retry` wants another attempt.

    Raises:
        ConfigError: If a review cannot wait here: no flow run, a task, a subflow.
    """
    how = check_place()
    async with open_journal(case) as journal:
        if journal is None:
            raise ConfigError("a review needs a flow run: call it in the body of a function with @flow")
        await tag_run(journal.client, journal.flow_run_id, case.task)
        sitting = Sitting(case=case, generation=generation, score=score, policy=policy, escalated_before=escalated)
        done = await _Asking(journal, how, sitting, route, earlier).settle()
        await _tell_settled(journal, case, done)
        return done


def review(
    case: Case,
    generation: Generation,
    score: Score,
    route: Route,
    *,
    policy: Policy,
    escalated: bool = False,
    earlier: Generation | None = None,
) -> Review:
    """The same as `areview`, for a flow that is not async."""
    # A plain function, not a flow: Prefect refuses to suspend a subflow.
    return run_coro_as_sync(
        areview(case, generation, score, route, policy=policy, escalated=escalated, earlier=earlier)
    )


async def _tell_settled(journal: Journal, case: Case, done: Review) -> None:
    if done.settled is None:
        return
    if await tell_settled(journal.client, journal.flow_run_id, settled_name(case, done.settled)):
        await refresh_page(journal.client, journal.flow_run_id)


class _Asking:
    """All rounds about one draft."""

    def __init__(self, journal: Journal, how: str, sitting: Sitting, route: Route, earlier: Generation | None) -> None:
        self.journal, self.how, self.route, self.earlier = journal, how, route, earlier
        self.sitting = sitting
        self.to_mend: RefusedAnswer | None = None
        """The answer that this round asks to mend; none after a verdict."""
        self.since: datetime | None = None
        """Since when nobody has done anything, where the round before ended in silence."""

    async def settle(self) -> Review:
        """Go through the rounds, those of earlier runs included, until it is settled."""
        for number in count(1):
            step = self.sitting.next_step()
            if isinstance(step, Settlement):
                return self.sitting.review(step)
            asked = self.journal.read(self._step("round", number), Round) or await self._ask(number, step)
            self._take(asked, await self._heard(asked))
        raise AssertionError("count() does not end")

    def _take(self, asked: Round, said: Verdict | RefusedAnswer | Silence | None) -> None:
        self.since = asked.since if said is None or isinstance(said, Silence) else None
        if said is not None:
            self.to_mend = said if isinstance(said, RefusedAnswer) else None
        heard = (*self.sitting.heard, Heard(ask=asked.ask, said=said))
        self.sitting = self.sitting.model_copy(update={"heard": heard})

    def _step(self, name: str, number: int) -> str:
        return f"{name}-{self.sitting.generation.attempt}-{number}"

    async def _ask(self, number: int, ask: Ask) -> Round:
        asked = await self.journal.record(self._step("round", number), self._round(number, ask))
        await wait_for_person(self.journal, asked, self._labels(asked), self._message(), name=self._name(asked))
        return asked

    def _name(self, asked: Round) -> str:
        sitting = self.sitting
        facts = {"answered": len(sitting.counted), "quorum": sitting.policy.quorum}
        return waiting_name(sitting.case, asked.ask, attempt=asked.attempt, **facts)

    def _round(self, number: int, ask: Ask) -> Round:
        now = datetime.now(UTC)
        since = self.since or now
        attempt = self.sitting.generation.attempt
        return Round(
            number=number,
            attempt=attempt,
            pause_key=f"{self.journal.slug}-{attempt}-{number}",
            how="suspended" if self.how == "suspended" else "paused",
            form=build_form(self._brief(ask, number, since)),
            ask=ask,
            opened_at=now,
            since=since,
        )

    def _brief(self, ask: Ask, number: int, since: datetime) -> Brief:
        sitting = self.sitting
        return Brief(
            case=sitting.case,
            generation=sitting.shown(ask.role),
            score=sitting.score,
            route=self.route,
            policy=sitting.policy,
            ask=ask,
            errors=self.to_mend.errors if self.to_mend else (),
            typed=self.to_mend.typed if self.to_mend else None,
            deadline_at=self._deadline(ask, since),
            told=sitting.verdicts if ask.role in ("tie_breaker", "escalated") else (),
            probe=next(iter(sitting.probes), None),
            earlier=self.earlier,
            round_id=f"{self.journal.flow_run_id}/{sitting.generation.attempt}/{number}",
        )

    def _deadline(self, ask: Ask, since: datetime) -> datetime | None:
        """When the policy's end applies, also where the second group is asked before."""
        if ask.silence_means is None or self.sitting.policy.on_deadline == "hold":
            return None
        return since + timedelta(seconds=self.sitting.policy.deadline_s)

    def _labels(self, asked: Round) -> dict[str, str | float]:
        sitting, ends_at, due_at = self.sitting, asked.ends_at, self._deadline(asked.ask, asked.since)
        sure, loss = sitting.score.confidence, expected_loss(sitting.policy, sitting.generation, sitting.score)
        return {
            "hitl.case": sitting.case.id,
            "hitl.task": sitting.case.task,
            "hitl.reason": self.route.reason,
            "hitl.attempt": asked.attempt,
            "hitl.opened_at": asked.opened_at.isoformat(),
            "hitl.deadline_at": ends_at.isoformat() if ends_at else "",
            "hitl.due_at": due_at.isoformat() if due_at else "",
            **ask_labels(asked.ask),
            # Labels are merged: an empty one takes the place of an earlier attempt's.
            "hitl.confidence": "" if sure is None else sure,
            "hitl.expected_loss": "" if loss is None else loss,
        }

    def _message(self) -> str:
        case = self.sitting.case
        return f"{case.task}, case {case.id}: {self.route.reason.replace('_', ' ')}"

    async def _heard(self, asked: Round) -> Verdict | RefusedAnswer | Silence | None:
        """What this round brought; `None` where the run came back without an answer, which decides nothing."""
        verdict, refused = (self._step(name, asked.number) for name in ("verdict", "refused"))
        if before := self.journal.read(verdict, Verdict) or self.journal.read(refused, RefusedAnswer):
            return before
        if (typed := await typed_in(self.journal, asked)) is None:
            return await self._silence(asked)
        heard = self._read(asked, typed)
        return await self.journal.record(verdict if isinstance(heard, Verdict) else refused, heard)

    async def _silence(self, asked: Round) -> Silence | None:
        step = self._step("silence", asked.number)
        if silence := self.journal.read(step, Silence):
            return silence
        now, waited = datetime.now(UTC), self.journal.read(self._step("waited", asked.number), Waited)
        if not (waited and asked.overdue(now)):
            return None
        return await self.journal.record(step, Silence(at=now, meant=asked.ask.silence_means or "deadline"))

    def _read(self, asked: Round, typed: Typed) -> Verdict | RefusedAnswer:
        seen = {"form_sha256": asked.form.sha256, "decided_at": typed.at}
        if asked.form.draft_sha256 != self.sitting.shown(asked.ask.role).sha256:
            return RefusedAnswer(errors=("the draft is no longer the one that was shown",), typed=typed.data, **seen)
        try:
            answer = read_form(asked.form, self.sitting.case, typed.data)
        except AnswerRefused as exc:
            return RefusedAnswer(errors=exc.errors, typed=typed.data, **seen)
        return Verdict(
            **answer.model_dump(),
            attempt=asked.attempt,
            draft_sha256=asked.form.draft_sha256,
            opened_at=asked.opened_at,
            role=asked.ask.role,
            **seen,
        )
