"""What is told about one round of a review, and when: from what was heard so far to the facts of a message."""

import json
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from hitl_prefect.audits import is_veiled, told_reason
from hitl_prefect.desk import Round, Signs
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.notices import Facts, Schedule, excerpt, quoted
from hitl_prefect.outcomes import Settlement
from hitl_prefect.panel import Ask, Sitting
from hitl_prefect.policy import Policy
from hitl_prefect.signposts import ask_labels, waiting_name
from hitl_prefect.stakes import expected_loss

__all__ = ["Told", "deadline_of", "facts_of", "notices_of", "settled_facts", "signs_of"]


class Told(Frozen):
    """Something was told; it is not told again."""

    at: AwareDatetime


def facts_of(sitting: Sitting, ask: Ask, route: Route, deadline_at: datetime | None) -> Facts:
    """What is told to those who are asked; no more than the form shows them."""
    case, holds, blind = sitting.case, sitting.policy.message_holds, ask.role == "blind"
    hidden = blind or is_veiled(route, sitting.policy)
    words = "\n".join(message.text for message in case.messages)
    draft = _draft(sitting.shown(ask.role)) if "draft" in holds and not blind else None
    return Facts(
        task=case.task,
        case=case.id,
        reason="blind" if blind else told_reason(route, sitting.policy),
        confidence=None if hidden else sitting.score.confidence,
        step=ask.told_role,
        people=tuple(quoted(name) for name in ask.people),
        deadline_at=deadline_at,
        prompt=excerpt(words) if "prompt" in holds else None,
        draft=draft,
    )


def settled_facts(case: Case, score: Score, route: Route, settled: Settlement, *, policy: Policy) -> Facts:
    """What is told when it ended. Who said what stays in the outcome."""
    return Facts(
        task=case.task,
        case=case.id,
        reason=told_reason(route, policy),
        confidence=None if is_veiled(route, policy) else score.confidence,
        step="settled",
        decision=settled.decision,
        decided_by=settled.decided_by,
    )


def deadline_of(policy: Policy, ask: Ask, since: datetime) -> datetime | None:
    """When the policy's end applies, also where the second group is asked before; `None` where it holds."""
    if ask.silence_means is None or policy.on_deadline == "hold":
        return None
    return since + timedelta(seconds=policy.deadline_s)


def signs_of(sitting: Sitting, asked: Round, route: Route, step: str) -> Signs:
    """What Prefect's own pages, the inbox and the upkeep are told of a round while it waits.

    Args:
        sitting: What was heard before.
        asked: The round.
        route: Why a person is asked.
        step: The key of the round in the run's journal.
    """
    case, reason = sitting.case, "blind" if asked.ask.role == "blind" else told_reason(route, sitting.policy)
    quorum = {"answered": len(sitting.counted), "quorum": sitting.policy.quorum}
    return Signs(
        name=waiting_name(case, asked.ask, attempt=asked.attempt, **quorum),
        message=f"{case.task}, case {case.id}: {reason.replace('_', ' ')}",
        labels=_labels(sitting, asked, route, reason),
        schedule=Schedule(step=step, wake_at=asked.ends_at, notices=notices_of(asked, sitting.policy)),
    )


def _labels(sitting: Sitting, asked: Round, route: Route, reason: str) -> dict[str, str | float]:
    """One that is unknown is empty: labels are merged, and an earlier attempt's would stand."""
    blind, deadline_at = asked.ask.role == "blind", deadline_of(sitting.policy, asked.ask, asked.since)
    veiled = is_veiled(route, sitting.policy)
    sure = None if blind or veiled else sitting.score.confidence
    # By the bar, the order of the inbox does not tell an audit from a draft that is unsure.
    score = sitting.score.model_copy(update={"confidence": route.bar}) if veiled else sitting.score
    # Of the draft that is shown: the model's own would tell what a seeded one hides.
    loss = None if blind else expected_loss(sitting.policy, sitting.shown(asked.ask.role), score)
    return {
        "hitl.case": sitting.case.id,
        "hitl.task": sitting.case.task,
        "hitl.reason": reason,
        "hitl.attempt": asked.attempt,
        "hitl.opened_at": asked.opened_at.isoformat(),
        "hitl.deadline_at": deadline_at.isoformat() if deadline_at else "",
        "hitl.confidence": "" if sure is None else sure,
        "hitl.expected_loss": "" if loss is None else loss,
        **ask_labels(asked.ask),
    }


def notices_of(asked: Round, policy: Policy) -> dict[str, datetime]:
    """What is told while a round waits, by when: its opening, the reminders, and that it is late where it holds."""
    told: dict[str, datetime] = {asked.opens_as: asked.opened_at} if asked.opens_as else {}
    for number, seconds in enumerate(policy.remind_after_s, 1):
        told[f"reminded-{number}"] = asked.opened_at + timedelta(seconds=seconds)
    if asked.ask.silence_means is None:
        told["overdue"] = asked.since + timedelta(seconds=policy.deadline_s)
    return told


def _draft(generation: Generation) -> str:
    answer = generation.answer
    return excerpt(generation.text if answer is None else json.dumps(answer, ensure_ascii=False))
