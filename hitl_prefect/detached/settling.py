"""From an answered form to the outcomes: of the case it was about, and of all others that it answers."""

import asyncio

from pydantic import JsonValue

from hitl_prefect.concluding import conclude
from hitl_prefect.configured import store_of
from hitl_prefect.deciding import decide
from hitl_prefect.detached.asked import Detached, Member
from hitl_prefect.detached.batch_ends import atell_batch_end
from hitl_prefect.errors import ConfigError, OutcomeConflict
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.notices import Notice, send_together
from hitl_prefect.opening import Opened
from hitl_prefect.outcomes import Outcome
from hitl_prefect.protocols import Store
from hitl_prefect.reviewing import amark_settled
from hitl_prefect.spending import within_budget
from hitl_prefect.storing import aput_outcome
from hitl_prefect.telling import settled_facts

__all__ = ["asettle"]

_AT_A_TIME = 8
"""Outcomes of a group that are stored side by side."""
_MADE_BY = ("flow_run_id", "deployment", "versions")


async def asettle(asked: Detached) -> Outcome[JsonValue]:
    """The stored outcome of a review; of a group, that of the case that the form was about.

    Raises:
        ConfigError: Outside a flow run.
        StoreError: If an outcome could not be stored, after retries; the verdict is not lost, a retry finishes.
        OutcomeConflict: If a case was decided elsewhere meanwhile; the outcomes of all others are stored.
    """
    async with open_journal(asked.case, is_alone=True) as journal:
        if journal is None:
            raise ConfigError("a review needs a flow run: open it with `aopen_reviews`")
        with within_budget(asked.policy):
            outcome = await _decided(journal, asked)
        await _tell_settled(journal, asked, outcome)
        store = await store_of(asked.store)
        conflicts = await _store_all(asked, outcome, store)
        if outcome.review is not None:
            await amark_settled(journal, asked.case, outcome.review)
        if asked.batch:
            await atell_batch_end(journal.client, asked.batch_run_id, asked.batch)
    if conflicts:
        raise conflicts[0]
    return outcome


async def _decided(journal: Journal, asked: Detached) -> Outcome[JsonValue]:
    if before := journal.read("outcome", Outcome[JsonValue]):
        return before
    opened = Opened(case=asked.case, policy=asked.policy, model=asked.model, draft=asked.attempt.generation)
    return await decide(journal, opened, first=asked.attempt, group=asked.group)


async def _tell_settled(journal: Journal, asked: Detached, outcome: Outcome[JsonValue]) -> None:
    """Whoever comes by again sends the same event, and Prefect keeps one."""
    settled = outcome.review.settled if outcome.review else None
    if settled is None or settled.decision == "retry":
        return
    facts = settled_facts(asked.case, outcome.score, outcome.route, settled, policy=asked.policy)
    notice = Notice(name="settled", step=journal.key("outcome"), facts=facts)
    await send_together(journal.client, [(journal.flow_run_id, notice)])


async def _store_all(asked: Detached, outcome: Outcome[JsonValue], store: Store) -> list[OutcomeConflict]:
    """Store what every case of the form ends in; returns those that stay out, each of them kept in quarantine."""
    at_a_time = asyncio.Semaphore(_AT_A_TIME)

    async def put(member: Member | None) -> OutcomeConflict | None:
        async with at_a_time:
            try:
                await aput_outcome(_of_member(member, outcome, asked) if member else outcome, store=store)
            except OutcomeConflict as exc:
                return exc
        return None

    return [found for found in await asyncio.gather(*map(put, (None, *asked.members))) if found]


def _of_member(member: Member, outcome: Outcome[JsonValue], asked: Detached) -> Outcome[JsonValue]:
    """What the form decided for a case that it was not about: where and by what is said of the one that it was."""
    made = member.attempt
    concluded = conclude(member.case, made.generation, made.score, made.route, outcome.review, policy=asked.policy)
    # Not what runs now: a later version that goes on with the group writes the same bytes.
    return concluded.model_copy(update={name: getattr(outcome, name) for name in _MADE_BY})
