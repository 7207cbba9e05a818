"""How one time of asking is made: from what was heard so far to the form and all that goes with it."""

from datetime import UTC, datetime
from typing import Literal

from hitl_prefect.briefs import Brief
from hitl_prefect.desk import How, Round
from hitl_prefect.forms import build_form
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Generation, Route
from hitl_prefect.outcomes import DECIDERS, RefusedAnswer
from hitl_prefect.panel import Ask, Sitting
from hitl_prefect.telling import deadline_of, facts_of

__all__ = ["About", "make_round"]


class About(Frozen):
    """What all rounds about one draft have in common."""

    run: str
    """Names the flow run, before it is there as well: a part of every round's id."""
    slug: str
    """Of the case, in the run's journal."""
    how: How
    route: Route
    earlier: Generation | None = None
    """The attempt before."""
    group: tuple[str, ...] = ()
    """The ids of all cases that the form answers, where it answers several."""


def make_round(
    about: About,
    sitting: Sitting,
    ask: Ask,
    *,
    number: int,
    since: datetime | None = None,
    to_mend: RefusedAnswer | None = None,
    opens_as: Literal["opened", "widened", "escalated"] | None = "opened",
) -> Round:
    """One time of asking, as it is recorded before the run waits.

    Args:
        about: The draft's route, and where it is asked about.
        sitting: What was heard before.
        ask: Who is asked.
        number: Of the round, from 1.
        since: Since when nobody has done anything; `None`: somebody just did.
        to_mend: The answer that this round asks to mend.
        opens_as: What is told when it opens.
    """
    now = datetime.now(UTC)
    since = since or now
    attempt = sitting.generation.attempt
    deadline_at = deadline_of(sitting.policy, ask, since)
    return Round(
        number=number,
        attempt=attempt,
        pause_key=f"{about.slug}-{attempt}-{number}",
        how=about.how,
        form=build_form(_brief(about, sitting, ask, number, to_mend, deadline_at)),
        ask=ask,
        facts=facts_of(sitting, ask, about.route, deadline_at),
        opens_as=opens_as,
        opened_at=now,
        since=since,
    )


def _brief(
    about: About, sitting: Sitting, ask: Ask, number: int, to_mend: RefusedAnswer | None, deadline_at: datetime | None
) -> Brief:
    return Brief(
        case=sitting.case,
        generation=sitting.shown(ask.role),
        score=sitting.score,
        route=about.route,
        policy=sitting.policy,
        ask=ask,
        errors=to_mend.errors if to_mend else (),
        typed=to_mend.typed if to_mend else None,
        fill_again=not _repeats_exercise(sitting, to_mend),
        deadline_at=deadline_at,
        told=sitting.verdicts if ask.role in DECIDERS else (),
        # Only until somebody has said something of the draft itself: nobody else is told how a colleague did.
        probe=next(iter(sitting.probes), None) if ask.role == "reviewer" and not sitting.verdicts else None,
        proposal=sitting.proposal if ask.role == "tie_breaker" else None,
        earlier=about.earlier,
        group=about.group,
        round_id=f"{about.run}/{sitting.generation.attempt}/{number}",
    )


def _repeats_exercise(sitting: Sitting, to_mend: RefusedAnswer | None) -> bool:
    typed = to_mend.typed if to_mend else None
    return isinstance(typed, dict) and sitting.says_exercise(typed.get("answer"))
