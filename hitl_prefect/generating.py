"""Ask the model, as a Prefect task that asks once: the reply is recorded before the task ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.calling import model_to_ask
from hitl_prefect.configured import provider_of
from hitl_prefect.drafts import ask
from hitl_prefect.errors import ConfigError, HitlError, TryAgain
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.models import Case, Generation
from hitl_prefect.patience import JITTER, LONGEST_WAIT_S, MODEL_S
from hitl_prefect.protocols import OnText
from hitl_prefect.showing import LiveText

__all__ = ["agenerate", "generate"]


def can_help(task: object, task_run: TaskRun, state: State) -> bool:  # noqa: ARG001 - Prefect passes all three
    """Whether to retry: decided by the class of the error, never by its message."""
    return isinstance(state.data, HitlError) and state.data.retryable


async def agenerate(
    case: Case,
    *,
    model: str,
    guidance: str | None = None,
    earlier: Generation | None = None,
    stream: bool = False,
) -> Generation:
    """Generate a draft for a case, once per attempt.

    Inside a flow run the draft is recorded: a flow that runs again gets the same draft and asks nobody.

    Args:
        case: What to ask, and the type of the answer.
        model: `provider:name`, or the name of a saved block.
        guidance: What the reviewer wants done better, for a further attempt.
        earlier: The attempt that the guidance is about.
        stream: Show the text in the run's Artifacts tab while it is being written. A stream that breaks is asked for
            again, whole.

    Returns:
        The draft. A refusal, a cut-off reply and an answer that does not validate are drafts too, with that status.

    Raises:
        BudgetSpent: If the flow run has spent the budget that `within_budget` set.
        ConfigError: If there is no such model.
        ProviderError: If the provider gave no reply, after the task's retries.
    """
    async with open_journal(case) as journal:
        if journal is None:
            return await ask(await provider_of(model), case, guidance=guidance, earlier=earlier)
        found = recorded(journal, _attempt(earlier))
        return found or await _generate(case, model, guidance, earlier, stream=stream)


def generate(
    case: Case,
    *,
    model: str,
    guidance: str | None = None,
    earlier: Generation | None = None,
    stream: bool = False,
) -> Generation:
    """The same as `agenerate`, for a flow that is not async."""
    return run_coro_as_sync(agenerate(case, model=model, guidance=guidance, earlier=earlier, stream=stream))


def recorded(journal: Journal, attempt: int) -> Generation | None:
    """The draft of an attempt, where it was recorded."""
    return journal.read(f"generation-{attempt}", Generation)


def _attempt(earlier: Generation | None) -> int:
    return earlier.attempt + 1 if earlier else 1


patiently: dict[str, Any] = {
    "retries": len(MODEL_S),
    "retry_delay_seconds": list(MODEL_S),
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": can_help,
}
"""How a task asks a model: again where trying again can help."""


@asynccontextmanager
async def waiting_as_told() -> AsyncIterator[None]:
    """Where trying again can help, wait as long as the provider asked for, two minutes at most."""
    try:
        yield
    except TryAgain as exc:
        await asyncio.sleep(min(exc.retry_after_s or 0, LONGEST_WAIT_S))
        raise


@task(name="generate", cache_policy=NO_CACHE, persist_result=False, **patiently)
async def _generate(
    case: Case, model: str, guidance: str | None, earlier: Generation | None, *, stream: bool
) -> Generation:
    async with open_journal(case) as journal:
        if journal is None:
            raise ConfigError("the flow run of this task is gone; call `generate` in the body of a flow")
        if found := recorded(journal, _attempt(earlier)):
            return found
        async with model_to_ask(model) as provider:
            async with waiting_as_told(), _shown(journal, case, stream=stream) as on_text:
                generation = await ask(provider, case, guidance=guidance, earlier=earlier, on_text=on_text)
                generation = await journal.record(f"generation-{generation.attempt}", generation)
            get_run_logger().info(
                "%s/%s attempt %d: %s draft by %s", case.task, case.id, generation.attempt, generation.status, model
            )
            return generation


@asynccontextmanager
async def _shown(journal: Journal, case: Case, *, stream: bool) -> AsyncIterator[OnText | None]:
    if not stream:
        yield None
        return
    async with LiveText(journal.client, journal.flow_run_id, case) as live:
        yield live
