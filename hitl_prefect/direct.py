"""Generate and score in this process, without Prefect: to try a model, in a script, in a benchmark.

Nothing is recorded and nothing is tried again; in a flow use `generate` and `score`, or `resolve_case`.
"""

import asyncio

from hitl_prefect.asking import DirectAsker
from hitl_prefect.drafts import ask, request_for
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Generation, Score
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.protocols import OnText, Provider
from hitl_prefect.providers import provider_for, second_to
from hitl_prefect.scoring import PolicyScorer

__all__ = ["Drafted", "draft_and_score"]


class Drafted(Frozen):
    """A draft, and how sure we are of it."""

    generation: Generation
    score: Score


async def draft_and_score(
    case: Case, *, model: str | Provider, policy: Policy = REVIEW_ALL, on_text: OnText | None = None
) -> Drafted:
    """Ask the model once and score its draft.

    Args:
        case: What to ask.
        model: `provider:name`, or a provider; one provider for many cases keeps its connections.
        policy: Which scorers count.
        on_text: Where given, the draft is streamed, and this is called with all of its text so far.

    Raises:
        ConfigError: If there is no such model.
        ProviderError: If the model gave no reply.

    >>> from hitl_prefect.providers.scripted import ScriptedProvider
    >>> provider = ScriptedProvider(['{"answer": "yes", "confidence": 0.7}'])
    >>> drafted = asyncio.run(draft_and_score(Case(id="c1", task="demo", prompt="Is it?"), model=provider))
    >>> drafted.generation.answer, drafted.score.confidence
    ('yes', 0.7)
    """
    provider = provider_for(model) if isinstance(model, str) else model
    scorer = _scorer(case, provider, policy)
    beside = asyncio.ensure_future(scorer.ahead(case))
    try:
        generation = await ask(provider, case, on_text=on_text)
        return Drafted(generation=generation, score=await scorer.score(case, generation))
    finally:
        beside.cancel()


def _scorer(case: Case, provider: Provider, policy: Policy) -> PolicyScorer:
    name = f"{provider.name}:{provider.model}"
    second = second_to(provider.name) if policy.second_model == "auto" else policy.second_model

    async def resolve(wanted: str) -> Provider:
        return provider if wanted == name else provider_for(wanted)

    asker = DirectAsker(request_for(case), drafted_by=name, second=second, resolve=resolve)
    return PolicyScorer(policy, asker, provider=provider.name)
