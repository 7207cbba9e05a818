"""Attempt after attempt at a case, until somebody or something decides."""

from pydantic import JsonValue

from hitl_prefect.attempts import make_attempt
from hitl_prefect.concluding import conclude
from hitl_prefect.journal import Journal
from hitl_prefect.models import Attempt, Generation
from hitl_prefect.opening import Opened
from hitl_prefect.outcomes import Group, Outcome, Review
from hitl_prefect.reviewing import areview

__all__ = ["decide"]


async def decide(
    journal: Journal, opened: Opened, *, first: Attempt | None = None, group: tuple[str, ...] = ()
) -> Outcome[JsonValue]:
    """The outcome of a case, recorded in its journal and not yet stored.

    Args:
        journal: Of the case; what stands there is not done again.
        opened: What the run began with.
        first: The first attempt, where it was made and judged before this run.
        group: The ids of all cases that the form answers, where it answers several.

    Raises:
        ProviderError: If the model gave no reply, after retries.
        ConfigError: If a review cannot wait here.
    """
    attempts: list[Attempt] = []
    reviews: list[Review] = []
    guidance = None
    while True:
        earlier = attempts[-1].generation if attempts else None
        made = first if first and not attempts else await make_attempt(journal, opened, earlier, guidance)
        attempts.append(made)
        if made.route.action == "review":
            reviews.append(await _review(opened, made, earlier, reviews, group=group))
        guidance = _asked_again(reviews)
        if guidance is None:
            return await journal.record("outcome", _concluded(opened, attempts, _joined(reviews), group))


async def _review(
    opened: Opened, attempt: Attempt, earlier: Generation | None, reviews: list[Review], *, group: tuple[str, ...]
) -> Review:
    """Ask about the last attempt; who it was escalated to before is asked again, and not who handed it over."""
    before = _joined(reviews)
    return await areview(
        opened.case,
        attempt.generation,
        attempt.score,
        attempt.route,
        policy=opened.policy,
        escalated_by=before.escalated_by if before else None,
        earlier=earlier,
        group=group,
    )


def _asked_again(reviews: list[Review]) -> str | None:
    """The guidance of the last review, where it ended in asking for another attempt."""
    settled = reviews[-1].settled if reviews else None
    return settled.guidance if settled and settled.decision == "retry" else None


def _concluded(
    opened: Opened, attempts: list[Attempt], review: Review | None, group: tuple[str, ...]
) -> Outcome[JsonValue]:
    *before, last = attempts
    if review is not None and group:
        answered = Group(case=opened.case.id, draft_sha256=last.generation.sha256, size=len(group))
        review = review.model_copy(update={"group": answered})
    return conclude(
        opened.case,
        last.generation,
        last.score,
        last.route,
        review,
        policy=opened.policy,
        earlier=before,
    )


def _joined(reviews: list[Review]) -> Review | None:
    """The reviews of all attempts as one."""
    if not reviews:
        return None
    return reviews[-1].model_copy(
        update={
            "verdicts": tuple(verdict for one in reviews for verdict in one.verdicts),
            "refused_answers": tuple(answer for one in reviews for answer in one.refused_answers),
            "probes": tuple(probe for one in reviews for probe in one.probes),
            "escalated": any(one.escalated for one in reviews),
            "widened": any(one.widened for one in reviews),
        }
    )
