"""Score a draft in a flow: what scorers ask is recorded before its task ends, so that nothing is paid for twice."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.asking import DirectAsker, ask_priced, decide_priced
from hitl_prefect.calling import model_to_ask
from hitl_prefect.configured import provider_of, second_model
from hitl_prefect.drafts import request_for
from hitl_prefect.errors import ConfigError
from hitl_prefect.generating import patiently, waiting_as_told
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation, Score
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Decided, Question, Reply, Request
from hitl_prefect.scorer_checks import check_scorers, models_asked
from hitl_prefect.scorers import Asking
from hitl_prefect.scoring import PolicyScorer
from hitl_prefect.spending import within_budget

__all__ = ["ascore", "check_scoring", "policy_scorer", "score"]


async def ascore(
    case: Case, generation: Generation, *, policy: Policy, model: str | None = None, earlier: Generation | None = None
) -> Score:
    """Score a draft.

    Args:
        case: What was asked.
        generation: What came back.
        policy: Which scorers count and how they are combined.
        model: The model that drafted, as it was named to `generate`; needed where a scorer asks a model.
        earlier: The attempt before, where this is a further one.

    Returns:
        A score whose confidence is `None` where a scorer that counts has none, or the answer is not valid.

    Raises:
        ConfigError: If a scorer could never tell, or `model` is missing.
        BudgetSpent: If a scorer would ask a model, and the flow run has spent the policy's `max_cost_usd`.
    """
    if model is None:
        if any(isinstance(scorer, Asking) for scorer in policy.scorers):
            raise ConfigError("a scorer of the policy asks a model: pass the `model` that drafted to `score`")
        return await PolicyScorer(policy).score(case, generation)
    await check_scoring(policy, model)
    async with open_journal(case) as journal:
        request = request_for(case, guidance=generation.guidance, earlier=earlier)
        with within_budget(policy):
            scorer = await policy_scorer(case, request, policy, model, journal)
            async with scorer.beside(None):
                return await scorer.score(case, generation)


def score(
    case: Case, generation: Generation, *, policy: Policy, model: str | None = None, earlier: Generation | None = None
) -> Score:
    """The same as `ascore`, for a flow that is not async."""
    return run_coro_as_sync(ascore(case, generation, policy=policy, model=model, earlier=earlier))


async def check_scoring(policy: Policy, model: str) -> None:
    """Refuse a policy whose scorers could never tell how sure `model` is.

    Raises:
        ConfigError: Naming the scorer, and what is missing.
    """
    provider = (await provider_of(model)).name
    second = second_model(policy, provider)
    asked = {name: await provider_of(name) for name in models_asked(policy, second)}
    check_scorers(policy, provider, second=second, asked=asked)


async def policy_scorer(
    case: Case, request: Request, policy: Policy, model: str, journal: Journal | None
) -> PolicyScorer:
    """What scores the drafts that `model` makes of `request`.

    Raises:
        ConfigError: If there is no such model.
    """
    provider = await provider_of(model)
    asker = _Recording(case, request, journal, drafted_by=model, second=second_model(policy, provider.name))
    return PolicyScorer(policy, asker, gives_logprobs=provider.gives_logprobs)


class _Recording(DirectAsker):
    """Asks in Prefect tasks, and records each answer in the journal of the case."""

    def __init__(
        self, case: Case, request: Request, journal: Journal | None, *, drafted_by: str, second: str | None
    ) -> None:
        super().__init__(request, drafted_by=drafted_by, second=second, resolve=provider_of)
        self._case, self._journal = case, journal

    async def _ask(self, key: str, model: str, request: Request) -> Reply:
        if self._journal is None:
            return await super()._ask(key, model, request)
        return self._journal.read(f"asked-{key}", Reply) or await _asked(self._case, key, model, request)

    async def _decide(
        self, key: str, model: str, messages: tuple[Message, ...], questions: tuple[Question, ...]
    ) -> Decided:
        if self._journal is None:
            return await super()._decide(key, model, messages, questions)
        found = self._journal.read(f"asked-{key}", Decided)
        return found or await _decided(self._case, key, model, messages, questions)


@task(name="ask_for_score", cache_policy=NO_CACHE, persist_result=False, **patiently)
async def _asked(case: Case, key: str, model: str, request: Request) -> Reply:
    async with open_journal(case) as journal, model_to_ask(model) as provider:
        async with waiting_as_told():
            reply = await ask_priced(provider, request)
        get_run_logger().info("%s/%s: asked %s for its score", case.task, case.id, model)
        return await journal.record(f"asked-{key}", reply) if journal else reply


@task(name="decide_for_score", cache_policy=NO_CACHE, persist_result=False, **patiently)
async def _decided(
    case: Case, key: str, model: str, messages: tuple[Message, ...], questions: tuple[Question, ...]
) -> Decided:
    async with open_journal(case) as journal, model_to_ask(model) as provider:
        async with waiting_as_told():
            decided = await decide_priced(provider, messages, questions)
        get_run_logger().info("%s/%s: asked %s for its score", case.task, case.id, model)
        return await journal.record(f"asked-{key}", decided) if journal else decided
