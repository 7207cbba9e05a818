"""Generate and score in this process, without Prefect: to try a model, in a script, in a benchmark.

Nothing is recorded and nothing is tried again; in a flow use `generate` and `score`, or `resolve_case`.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass

from hitl_prefect.asking import DirectAsker
from hitl_prefect.drafts import ask, request_for
from hitl_prefect.errors import ConfigError, HitlError
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Generation, Score
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.protocols import OnText, Provider
from hitl_prefect.providers import provider_for, second_to
from hitl_prefect.scorer_checks import check_scorers, models_asked
from hitl_prefect.scoring import PolicyScorer

__all__ = ["APART_S", "Drafted", "Tried", "draft_and_score", "draft_and_score_many"]

APART_S = 0.003
"""Seconds between the first calls. Those that begin together also end together, and then wait for each other: 2,000
cases at 64 in flight against a model that takes 0.2 s took 7.4 s when begun at once, and 6.9 s so."""


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
        ConfigError: If there is no such model, or a scorer could never tell.
        ProviderError: If the model gave no reply.

    >>> from hitl_prefect.providers.scripted import ScriptedProvider
    >>> provider = ScriptedProvider(['{"answer": "yes", "confidence": 0.7}'])
    >>> drafted = asyncio.run(draft_and_score(Case(id="c1", task="demo", prompt="Is it?"), model=provider))
    >>> drafted.generation.answer, drafted.score.confidence
    ('yes', 0.7)
    """
    provider = _ready(model, policy)
    return await _draft_and_score(case, provider, policy, on_text)


def _ready(model: str | Provider, policy: Policy) -> Provider:
    """The provider, once all that the policy needs of it and of others is there.

    Raises:
        ConfigError: If something is not.
    """
    provider = provider_for(model) if isinstance(model, str) else model
    second = second_to(provider.name, policy.second_model)
    check_scorers(
        policy, provider.name, second=second, asked={name: provider_for(name) for name in models_asked(policy, second)}
    )
    if policy.max_cost_usd is not None:
        raise ConfigError("policy.max_cost_usd is held in flow runs only: drop it here, or use resolve_case in a flow")
    return provider


async def _draft_and_score(case: Case, provider: Provider, policy: Policy, on_text: OnText | None = None) -> Drafted:
    scorer = _scorer(case, provider, policy)
    ahead = asyncio.ensure_future(scorer.ahead(case))
    try:
        generation = await ask(provider, case, on_text=on_text)
        return Drafted(generation=generation, score=await scorer.score(case, generation))
    finally:
        ahead.cancel()
        # Not waited for, as in a flow: nothing is recorded here, so what nobody waits for is lost anyway.
        await scorer.aclose()


@dataclass(frozen=True)
class Tried:
    """What came of one of many cases."""

    case: Case
    drafted: Drafted | None
    """`None` where the model could not be asked."""
    error: HitlError | None
    """Why."""


async def draft_and_score_many(
    cases: Iterable[Case], *, model: str | Provider, policy: Policy = REVIEW_ALL, in_flight: int = 64
) -> AsyncGenerator[Tried, None]:
    """Ask the model once about each case and score its drafts, many at a time.

    Args:
        cases: What to ask; read as it is needed, so that a generator over a large file is fine.
        model: `provider:name`, or a provider.
        policy: Which scorers count.
        in_flight: How many cases are under way at once.

    Yields:
        Each case as it is done, in no order. One that fails is told and stops no other.

    Raises:
        ConfigError: If there is no such model, or a scorer could never tell.
    """
    if in_flight < 1:
        raise ConfigError(f"in_flight={in_flight} lets no case be asked; give at least 1")
    provider = _ready(model, policy)
    done: asyncio.Queue[Tried | Exception | None] = asyncio.Queue(maxsize=in_flight)
    waiting = iter(cases)
    begins = (number * APART_S for number in range(in_flight))
    lanes = [asyncio.create_task(_lane(begin, waiting, provider, policy, done)) for begin in begins]
    try:
        for _ in lanes:
            while (found := await done.get()) is not None:
                if isinstance(found, Exception):
                    raise found
                yield found
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)


async def _lane(
    begin_s: float,
    waiting: Iterator[Case],
    provider: Provider,
    policy: Policy,
    done: asyncio.Queue[Tried | Exception | None],
) -> None:
    """One case after the other, and `None` at the end; what goes wrong beside them is told in its place."""
    await asyncio.sleep(begin_s)
    try:
        for case in waiting:
            await done.put(await _try(case, provider, policy))
    except Exception as exc:
        await done.put(exc)
        raise
    await done.put(None)


async def _try(case: Case, provider: Provider, policy: Policy) -> Tried:
    try:
        return Tried(case, await _draft_and_score(case, provider, policy), None)
    except HitlError as exc:
        return Tried(case, None, exc)


def _scorer(case: Case, provider: Provider, policy: Policy) -> PolicyScorer:
    name = f"{provider.name}:{provider.model}"

    async def resolve(wanted: str) -> Provider:
        return provider if wanted == name else provider_for(wanted)

    second = second_to(provider.name, policy.second_model)
    asker = DirectAsker(request_for(case), drafted_by=name, second=second, resolve=resolve)
    return PolicyScorer(policy, asker, gives_logprobs=provider.gives_logprobs)
