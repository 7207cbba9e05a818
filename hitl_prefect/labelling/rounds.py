"""Label a pool in rounds: each run trains on what is decided, asks about what is worth most, and ends.

Nothing is remembered between runs but what the store's outcomes and Prefect's flow runs say: the next run goes on from
there, and a run that begins again opens the same reviews.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from prefect.client.orchestration import get_client
from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import Field

from hitl_prefect.answer_names import name_of_answer
from hitl_prefect.configured import policy_of, store_of
from hitl_prefect.detached import Detached, aopen_reviews
from hitl_prefect.detached.deployment import POOL
from hitl_prefect.drafts import ask
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.frozen import Frozen
from hitl_prefect.labelling.asked import asked_before
from hitl_prefect.labelling.pool import Pool, read_pool
from hitl_prefect.labelling.undrafted import NOBODY, undrafted
from hitl_prefect.learning import HeldOut, Labelled, StoredModel, Strategy, keep_model, text_of, train_classifier
from hitl_prefect.learning.rounds import Chosen, plan_round, seed_of
from hitl_prefect.models import Attempt, Case, Route
from hitl_prefect.opening import check_asking, make_case
from hitl_prefect.policy import REVIEW_ALL, Policy
from hitl_prefect.protocols import Store
from hitl_prefect.providers.trained import TrainedProvider
from hitl_prefect.scoring import PolicyScorer
from hitl_prefect.sources import Source

__all__ = ["LabelPlan", "LabelRound", "alabel_round", "label_round"]

_BY_PROBABILITY = Policy(scorers=("probability",))


class LabelPlan(Frozen):
    """How a pool is labelled."""

    per_round: int = Field(default=50, ge=1)
    """Forms that a round opens."""
    target: int = Field(default=1000, ge=1)
    """Labels at which it ends."""
    open_at_most: int = Field(default=0, ge=0)
    """How many forms of earlier rounds may still be open when the next one begins: 0 waits for the last one."""
    random_share: float = Field(default=0.2, ge=0, le=1)
    """The share of a round that is drawn at random, and tested on instead of trained on."""
    strategy: Strategy = "margin"
    """What makes a label valuable."""
    show_draft: bool = True
    """Whether the form is filled with the classifier's own answer: quicker, and people lean towards it."""


class LabelRound(Frozen):
    """What a run found and did."""

    task: str
    labels: int
    """Decided by people so far."""
    open: int
    """Asked about in earlier rounds, and not decided yet."""
    opened: int = 0
    """Forms that this run opened."""
    at_random: int = 0
    """Of these, drawn at random."""
    left: int
    """Cases of the pool that nobody has been asked about."""
    model: str | None = None
    """The classifier that chose, such as `support/000003`; `None`: there was none."""
    held_out: HeldOut | None = None
    """How it does on what it was not trained on."""
    bad_lines: int = 0
    """Lines of the source that tell no case, and cases without any text."""
    done: bool
    """Whether the target is reached, or everything was asked."""


async def alabel_round(
    source: Source,
    *,
    task: str,
    store: str,
    answer: Any = str,
    instructions: str = "",
    plan: LabelPlan | None = None,
    policy: Policy | str = REVIEW_ALL,
    work_pool: str = POOL,
) -> LabelRound:
    """Open the next round of forms, unless the last one is still open or the target is reached; waits for nobody.

    Args:
        source: The pool, as `read_cases` takes it. Cases that are decided, or were asked about, are passed over.
        task: What kind of cases these are, as a slug.
        store: Where outcomes and classifiers are kept: `folder:` path, `s3://` URL, or the name of a saved block.
        answer: The type of the labels: a `Literal`, `str`, or a model with one such field.
        instructions: The system prompt of all cases.
        plan: How many, how far and by what; `None`: the defaults of `LabelPlan`.
        policy: Who is asked, or the name of a saved block. There is never a second attempt of the model.
        work_pool: Where reviews go on once somebody has answered: the pool of `hitl worker`.

    Raises:
        ConfigError: If something is missing or cannot be honoured; before anybody is asked.
        MissingExtra: If scikit-learn is not installed.
        StoreError: If the store refused, or is away.
        ReviewError: If a review could not be opened, after retries.
    """
    people = (await policy_of(policy)).model_copy(update={"max_attempts": 1})
    await check_asking(make_case("any", task=task, case_id="any", answer=answer), people, store=store)
    name_of_answer(answer)
    target = await store_of(store)
    pool = await asyncio.to_thread(read_pool, target, source, task=task, answer=answer, instructions=instructions)
    rounds = _Rounds(task, store, target, plan or LabelPlan(), people)
    return await rounds.go_on(pool, work_pool)


def label_round(
    source: Source,
    *,
    task: str,
    store: str,
    answer: Any = str,
    instructions: str = "",
    plan: LabelPlan | None = None,
    policy: Policy | str = REVIEW_ALL,
    work_pool: str = POOL,
) -> LabelRound:
    """The same as `alabel_round`, for a flow that is not async."""
    return run_coro_as_sync(
        alabel_round(
            source,
            task=task,
            store=store,
            answer=answer,
            instructions=instructions,
            plan=plan,
            policy=policy,
            work_pool=work_pool,
        )
    )


@dataclass(frozen=True)
class _Rounds:
    """What all rounds of a pool have in common."""

    task: str
    store: str
    target: Store
    plan: LabelPlan
    policy: Policy

    @property
    def batch(self) -> str:
        """Under which the flow runs of all rounds are found."""
        return f"labels-{self.task}"[:64]

    async def go_on(self, pool: Pool, work_pool: str) -> LabelRound:
        async with get_client() as client:
            asked = await asked_before(client, self.task, self.batch)
        pool = replace(pool, cases=[one for one in pool.cases if one.id not in asked.open | asked.ended])
        found = LabelRound(
            task=self.task,
            labels=len(pool.labels),
            open=len(asked.open - pool.decided),
            left=len(pool.cases),
            bad_lines=pool.bad_lines,
            done=len(pool.labels) >= self.plan.target or not (pool.cases or asked.open - pool.decided),
        )
        waits = found.done or not pool.cases or found.open > self.plan.open_at_most
        return found if waits else await self._open(found, pool, work_pool)

    async def _open(self, found: LabelRound, pool: Pool, work_pool: str) -> LabelRound:
        model = await asyncio.to_thread(_model_of, self.target, self.task, pool.labels)
        # In the order of the pool: which forms were opened first would tell those drawn at random.
        chosen = sorted(await asyncio.to_thread(self._chosen, pool, model))
        await aopen_reviews(
            [await self._review(pool.cases[one.place], one, model) for one in chosen], work_pool=work_pool
        )
        done = {
            "opened": len(chosen),
            "at_random": sum(one.reason != "rule" for one in chosen),
            "left": len(pool.cases) - len(chosen),
            "model": model.name if model else None,
            "held_out": model.classifier.held_out if model else None,
        }
        return found.model_copy(update=done)

    def _chosen(self, pool: Pool, model: StoredModel | None) -> list[Chosen]:
        return plan_round(
            [text_of(one.messages) for one in pool.cases],
            min(self.plan.per_round, self.plan.target - len(pool.labels)),
            classifier=model.classifier if model else None,
            random_share=self.plan.random_share,
            strategy=self.plan.strategy,
            seed=seed_of(self.task, len(pool.labels), len(pool.cases)),
        )

    async def _review(self, case: Case, chosen: Chosen, model: StoredModel | None) -> Detached:
        return Detached(
            case=case,
            attempt=await self._attempt(case, chosen, model),
            policy=self.policy,
            model=f"embedded:{self.task}@{self.store}" if model else NOBODY,
            store=self.store,
            batch=self.batch,
        )

    async def _attempt(self, case: Case, chosen: Chosen, model: StoredModel | None) -> Attempt:
        route = Route(
            action="review",
            reason=chosen.reason,
            detail=chosen.detail,
            propensity=chosen.propensity,
            policy_version=self.policy.version,
            bar=self.policy.min_confidence,
        )
        if model is None or not self.plan.show_draft:
            return undrafted(case, route, why="nobody has answered it yet: say what is right")
        generation = await ask(TrainedProvider(self.target, self.task, model.version), case)
        score = await PolicyScorer(_BY_PROBABILITY).score(case, generation)
        return Attempt(generation=generation, score=score, route=route)


def _model_of(store: Store, task: str, labels: list[Labelled]) -> StoredModel | None:
    """The classifier of all that is decided, stored; `None` where there is too little to learn from."""
    try:
        return keep_model(store, train_classifier(labels, task=task))
    except MissingExtra:
        raise
    except ConfigError:
        return None
