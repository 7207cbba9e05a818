"""Ask people about a draft until there is a decision, or the deadline has decided.

Each time that somebody is asked is a round of its own, with a pause key of its own: Prefect never fires a key twice,
so a retry, an empty resume or an answer that did not apply can always be followed by another round.
"""

from datetime import UTC, datetime
from itertools import count
from typing import Literal

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.desk import Round, Waited, check_place, close_round, typed_in, wait_for_person
from hitl_prefect.errors import ConfigError
from hitl_prefect.hearing import hear
from hitl_prefect.inbox_page import refresh_page
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.notices import Event, Facts, Notice, send_together, tell
from hitl_prefect.opening import check_reviewers
from hitl_prefect.outcomes import RefusedAnswer, Review, Settlement, Verdict
from hitl_prefect.panel import Ask, Heard, Silence, Sitting
from hitl_prefect.policy import Policy
from hitl_prefect.rounds import About, make_round
from hitl_prefect.signposts import mark_settled, tag_run
from hitl_prefect.telling import Told, settled_facts, signs_of

__all__ = ["amark_settled", "areview", "review"]


async def areview(
    case: Case,
    generation: Generation,
    score: Score,
    route: Route,
    *,
    policy: Policy,
    escalated_by: tuple[str, ...] | None = None,
    earlier: Generation | None = None,
    group: tuple[str, ...] = (),
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
        escalated_by: `Review.escalated_by` of the attempts before: where one was handed over, the others of
            `policy.escalate_to` are asked again.
        earlier: The attempt before, to show what became different.
        group: The ids of all cases that the form answers, where it answers several.

    Returns:
        The review: `settled` says how it ended; `retry` wants another attempt.

    Raises:
        ConfigError: If a review cannot wait here (no flow run, a task, a subflow), or the policy asks for more people
            than it names.
    """
    how = check_place()
    check_reviewers(case, policy)
    async with open_journal(case) as journal:
        if journal is None:
            raise ConfigError("a review needs a flow run: call it in the body of a function with @flow")
        await tag_run(journal.client, journal.flow_run_id, case.task)
        sitting = Sitting(
            case=case, generation=generation, score=score, policy=policy, escalated_before_by=escalated_by
        )
        about = About(
            run=str(journal.flow_run_id), slug=journal.slug, how=how, route=route, earlier=earlier, group=group
        )
        done = await _Asking(journal, about, sitting).settle()
        # In a run of its own the outcome is stored first: the batch that it belongs to counts what still waits.
        if not journal.is_alone or done.settled.decision == "retry":
            await amark_settled(journal, case, done)
        return done


def review(
    case: Case,
    generation: Generation,
    score: Score,
    route: Route,
    *,
    policy: Policy,
    escalated_by: tuple[str, ...] | None = None,
    earlier: Generation | None = None,
    group: tuple[str, ...] = (),
) -> Review:
    """The same as `areview`, for a flow that is not async."""
    # A plain function, not a flow: Prefect refuses to suspend a subflow.
    return run_coro_as_sync(
        areview(
            case,
            generation,
            score,
            route,
            policy=policy,
            escalated_by=escalated_by,
            earlier=earlier,
            group=group,
        )
    )


async def amark_settled(journal: Journal, case: Case, done: Review) -> None:
    """Say on Prefect's own pages how a review ended, once however often it is called."""
    if await mark_settled(journal.client, journal.flow_run_id, case, done.settled, is_alone=journal.is_alone):
        await refresh_page(journal.client, journal.flow_run_id)


class _Asking:
    """All rounds about one draft."""

    def __init__(self, journal: Journal, about: About, sitting: Sitting) -> None:
        self.journal, self.about, self.sitting = journal, about, sitting
        self.route = about.route
        self.to_mend: RefusedAnswer | None = None
        """The answer that this round asks to mend; none after a verdict."""
        self.since: datetime | None = None
        """Since when nobody has done anything, where the round before ended in silence."""
        self.unwritten: tuple[str, Verdict | RefusedAnswer] | None = None
        """What the last round brought, and the row that it gets before anything is built on it."""

    async def settle(self) -> Review:
        """Go through the rounds, those of earlier runs included, until it is settled."""
        for number in count(1):
            step = self.sitting.next_step()
            if isinstance(step, Settlement):
                if step.decision == "retry":
                    await self._write_down()
                await self._tell_settled(number, step)
                return self.sitting.review(step)
            asked = self.journal.read(self._step("round", number), Round) or await self._ask(number, step)
            self._take(asked, await self._heard(asked))
        raise AssertionError("count() does not end")

    def _take(self, asked: Round, said: Verdict | RefusedAnswer | Silence | None) -> None:
        self.since = asked.since if said is None or isinstance(said, Silence) else None
        if said is not None:
            self.to_mend = said if isinstance(said, RefusedAnswer) else None
        heard = (*self.sitting.heard, Heard(ask=asked.ask, said=said, shown=asked.form.draft))
        self.sitting = self.sitting.model_copy(update={"heard": heard})

    def _step(self, name: str, number: int) -> str:
        return f"{name}-{self.sitting.generation.attempt}-{number}"

    async def _ask(self, number: int, ask: Ask) -> Round:
        await self._write_down()
        asked = await self.journal.record(self._step("round", number), self._round(number, ask))
        step = self.journal.key(self._step("round", number))
        await wait_for_person(self.journal, asked, signs_of(self.sitting, asked, self.route, step))
        return asked

    def _round(self, number: int, ask: Ask) -> Round:
        return make_round(
            self.about,
            self.sitting,
            ask,
            number=number,
            since=self.since,
            to_mend=self.to_mend,
            opens_as=self._opens_as(number, ask),
        )

    def _opens_as(self, number: int, ask: Ask) -> Literal["opened", "widened", "escalated"] | None:
        """What is told when a round opens."""
        heard = self.sitting.heard
        if heard and heard[-1].said is None and self._waited(number - 1):
            return None
        if heard and isinstance(heard[-1].said, Silence) and heard[-1].said.meant == "widen":
            return "widened"
        handed_over = ask.role == "escalated" and all(one.ask.role != "escalated" for one in heard)
        return "escalated" if handed_over else "opened"

    async def _heard(self, asked: Round) -> Verdict | RefusedAnswer | Silence | None:
        """What this round brought; `None` where the run came back without an answer, which decides nothing."""
        verdict, refused = (self._step(name, asked.number) for name in ("verdict", "refused"))
        if before := self.journal.read(verdict, Verdict) or self.journal.read(refused, RefusedAnswer):
            return before
        if silence := self.journal.read(self._step("silence", asked.number), Silence):
            return silence
        typed, now = await typed_in(self.journal, asked), datetime.now(UTC)
        over = self._is_over(asked, now)
        if typed is None and over:
            typed = await close_round(self.journal, asked)
        if typed is None:
            return await self._silence(asked, now) if over else None
        heard = hear(asked, typed, self.sitting)
        row = verdict if isinstance(heard, Verdict) else refused
        if not self.journal.is_alone:
            return await self.journal.record(row, heard)
        await self._write_down()
        # What was typed is a row of Prefect's already, and mostly the next row is that of the outcome.
        self.unwritten = row, heard
        return heard

    async def _write_down(self) -> None:
        if self.unwritten is not None:
            await self.journal.record(*self.unwritten)
        self.unwritten = None

    def _is_over(self, asked: Round, now: datetime) -> bool:
        """Whether it really waited, and nobody came in time."""
        return self._waited(asked.number) and asked.overdue(now)

    def _waited(self, number: int) -> bool:
        asked = self.journal.read(self._step("round", number), Round)
        born = asked is not None and asked.is_born_waiting
        return born or self.journal.read(self._step("waited", number), Waited) is not None

    async def _silence(self, asked: Round, now: datetime) -> Silence:
        """What it means that nobody has answered a round that is closed."""
        meant = asked.ask.silence_means or "deadline"
        if meant == "deadline":
            await self._tell("overdue", asked.number, asked.facts)
        return await self.journal.record(self._step("silence", asked.number), Silence(at=now, meant=meant))

    async def _tell(self, event: Event, number: int, facts: Facts) -> None:
        await tell(self.journal.client, self.journal.flow_run_id, self._notice(event, number, facts))

    def _notice(self, event: Event, number: int, facts: Facts) -> Notice:
        return Notice(name=event, step=self.journal.key(self._step("round", number)), facts=facts)

    async def _tell_settled(self, number: int, settled: Settlement) -> None:
        """Another attempt settles nothing; a run that comes by again has told it before.

        In a run of its own it is told once the outcome is recorded: an answer that has no row might be heard otherwise.
        """
        row = self._step("settled", number)
        if settled.decision == "retry" or self.journal.is_alone or self.journal.read(row, Told) is not None:
            return
        facts = settled_facts(self.sitting.case, self.sitting.score, self.route, settled, policy=self.sitting.policy)
        # Without a claim: whoever comes by again before it is recorded sends the same event, and Prefect keeps one.
        notice = self._notice("settled", number, facts)
        if await send_together(self.journal.client, [(self.journal.flow_run_id, notice)]):
            await self.journal.record(row, Told(at=datetime.now(UTC)))
