"""One attempt at a case: a draft, its score and its route, each recorded once."""

from hitl_prefect.drafts import request_for
from hitl_prefect.frozen import Frozen
from hitl_prefect.generating import agenerate
from hitl_prefect.journal import Journal
from hitl_prefect.judging import policy_scorer
from hitl_prefect.models import Attempt, Generation, Route, Score
from hitl_prefect.opening import Opened
from hitl_prefect.routing import route
from hitl_prefect.scoring import PolicyScorer

__all__ = ["make_attempt"]


class _Judged(Frozen):
    """What the machine thought of a draft."""

    score: Score
    route: Route


async def make_attempt(journal: Journal, opened: Opened, earlier: Generation | None, guidance: str | None) -> Attempt:
    """Draft, score and route; what the scorers ask whatever the draft says is asked beside it.

    Args:
        journal: Of the case; what stands there is not done again.
        opened: What the run began with.
        earlier: The draft before, where a reviewer asked for another attempt.
        guidance: What the reviewer wants done better.

    Raises:
        ProviderError: If the model gave no reply, after retries.
        BudgetSpent: If the run may ask nobody any more.
    """
    case, number = opened.case, earlier.attempt + 1 if earlier else 1
    request = request_for(case, guidance=guidance, earlier=earlier)
    scorer = await policy_scorer(case, request, opened.policy, opened.model, journal)
    async with scorer.beside(None if journal.read(f"judged-{number}", _Judged) else case):
        generation = await _draft(opened, earlier, guidance)
        judged = await _judge(journal, opened, scorer, generation)
    return Attempt(generation=generation, score=judged.score, route=judged.route)


async def _draft(opened: Opened, earlier: Generation | None, guidance: str | None) -> Generation:
    if opened.draft and earlier is None:
        return opened.draft
    return await agenerate(opened.case, model=opened.model, guidance=guidance, earlier=earlier, stream=opened.stream)


async def _judge(journal: Journal, opened: Opened, scorer: PolicyScorer, generation: Generation) -> _Judged:
    step = f"judged-{generation.attempt}"
    if judged := journal.read(step, _Judged):
        return judged
    scored = await scorer.score(opened.case, generation)
    routed = route(opened.case, generation, scored, policy=opened.policy)
    if generation.attempt > 1:
        routed = _back_to_reviewer(routed)
    return await journal.record(step, _Judged(score=scored, route=routed))


def _back_to_reviewer(routed: Route) -> Route:
    """Who asked for another attempt sees it, however sure the model is."""
    if routed.action == "review" and routed.reason != "audit":
        return routed
    asked = {"action": "review", "reason": "rule", "detail": "a reviewer asked for this attempt", "propensity": 1.0}
    return routed.model_copy(update=asked)
