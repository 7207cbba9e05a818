"""From a case to its draft, score and route; each is kept in the ledger in the moment when it is there."""

from hitl_prefect.alike import alike_key
from hitl_prefect.asking import DirectAsker, ask_priced, decide_priced
from hitl_prefect.calling import model_to_ask
from hitl_prefect.concluding import conclude
from hitl_prefect.configured import second_model
from hitl_prefect.drafts import ask, request_for
from hitl_prefect.many.batch import Batch
from hitl_prefect.many.ledger import Kept
from hitl_prefect.messages import Message
from hitl_prefect.models import Attempt, Case, Generation
from hitl_prefect.patience import MODEL_S, patiently
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Decided, Question, Reply, Request
from hitl_prefect.routing import route
from hitl_prefect.scorers import Asking
from hitl_prefect.scoring import PolicyScorer
from hitl_prefect.stakes import expected_loss

__all__ = ["draft_at"]


async def draft_at(batch: Batch, kept: Kept) -> Kept:
    """The case with its draft, and with its outcome where that is accepted: what is kept of it, or made now.

    Raises:
        ProviderError: If the model gave no reply, after further attempts.
        BudgetSpent: If the batch may ask nobody any more.
    """
    if kept.outcome is not None or kept.attempt is not None:
        return kept
    provider = await batch.provider(batch.wanted.model)
    asker = _Asker(batch, kept.case, second=second_model(batch.wanted.policy, provider.name))
    scorer = PolicyScorer(batch.wanted.policy, asker, gives_logprobs=provider.gives_logprobs)
    async with scorer.beside(kept.case):
        return await patiently(lambda: _make(batch, kept, scorer, asker), MODEL_S)


async def _make(batch: Batch, kept: Kept, scorer: PolicyScorer, asker: DirectAsker) -> Kept:
    """Draft and score; nothing is waited for between a reply and its record, so that no reply is ever lost."""
    if kept.draft is not None:
        return _keep(batch, kept, await _judged(batch, kept.case, kept.draft, scorer))
    model = batch.wanted.model
    batch.purse.check(model)
    async with model_to_ask(model, await batch.provider(model)) as provider:
        draft = await ask(provider, kept.case)
        batch.purse.pay(draft.cost_usd)
        if not _asks_somebody(batch.wanted.policy, asker):
            return _keep(batch, kept, await _judged(batch, kept.case, draft, scorer))
        batch.ledger.keep_draft(kept.place, draft)
    return _keep(batch, kept, await _judged(batch, kept.case, draft, scorer))


def _asks_somebody(policy: Policy, asker: DirectAsker) -> bool:
    return asker.second is not None or any(isinstance(one, Asking) for one in policy.scorers)


async def _judged(batch: Batch, case: Case, draft: Generation, scorer: PolicyScorer) -> Attempt:
    score = await scorer.score(case, draft)
    return Attempt(generation=draft, score=score, route=route(case, draft, score, policy=batch.wanted.policy))


def _keep(batch: Batch, kept: Kept, attempt: Attempt) -> Kept:
    """Keep an attempt, or the outcome that it is where the policy accepts it."""
    if attempt.route.action == "accept":
        outcome = conclude(kept.case, attempt.generation, attempt.score, attempt.route, policy=batch.wanted.policy)
        stored = batch.ledger.keep_outcome(kept.place, outcome)
        return kept._replace(attempt=attempt, outcome=outcome, stored=stored)
    # An audit has a form of its own, and is not left out for what costs more: else it would measure nothing.
    is_audit = attempt.route.reason == "audit"
    loss = None if is_audit else expected_loss(batch.wanted.policy, attempt.generation, attempt.score)
    alike = None if is_audit else _alike(batch, kept.case, attempt.generation)
    batch.ledger.keep_attempt(kept.place, attempt, alike=alike, loss=loss)
    return kept._replace(attempt=attempt)


def _alike(batch: Batch, case: Case, draft: Generation) -> str | None:
    """What cases have in common that one form may answer; a form's reviewers are the same for all of them."""
    if batch.wanted.policy.grouping is None or draft.status != "ok":
        return None
    return f"{alike_key(draft.answer, batch.wanted.policy.grouping.by)}/{case.requester or ''}"


class _Asker(DirectAsker):
    """Asks for scorers within the limits and the budget, and again where that can help."""

    def __init__(self, batch: Batch, case: Case, *, second: str | None) -> None:
        super().__init__(request_for(case), drafted_by=batch.wanted.model, second=second, resolve=batch.provider)
        self._batch = batch

    async def _ask(self, key: str, model: str, request: Request) -> Reply:  # noqa: ARG002 - a journal needs the key
        async def once() -> Reply:
            self._batch.purse.check(model)
            async with model_to_ask(model, await self._batch.provider(model)) as provider:
                reply = await ask_priced(provider, request)
                self._batch.purse.pay(reply.cost_usd)
                return reply

        return await patiently(once, MODEL_S)

    async def _decide(
        self,
        key: str,  # noqa: ARG002 - a journal needs it
        model: str,
        messages: tuple[Message, ...],
        questions: tuple[Question, ...],
    ) -> Decided:
        async def once() -> Decided:
            self._batch.purse.check(model)
            async with model_to_ask(model, await self._batch.provider(model)) as provider:
                decided = await decide_priced(provider, messages, questions)
                self._batch.purse.pay(decided.cost_usd)
                return decided

        return await patiently(once, MODEL_S)
