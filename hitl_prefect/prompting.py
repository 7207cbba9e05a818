"""Examples in a flow: earlier cases before the prompt, where they have been shown to help."""

import asyncio
import json
import time
from typing import Any, NamedTuple

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.configured import store_of
from hitl_prefect.example_sets import ExampleSet, Reviewed, newest_set
from hitl_prefect.example_turns import can_show_examples, show_examples, without_examples
from hitl_prefect.examples import ExamplePool
from hitl_prefect.messages import Message, conversation
from hitl_prefect.patience import STORE_S, patiently

__all__ = ["awith_examples", "shown_as_turns", "with_examples"]

_REMEMBERED_S = 60.0
"""So long a set is taken to be the newest: thousands of cases ask the store once a minute."""


class _Known(NamedTuple):
    """What was found, and when."""

    at_s: float
    found: ExampleSet | None
    pool: ExamplePool | None


_known: dict[tuple[str, str, str], _Known] = {}


async def awith_examples(
    prompt: str | tuple[Message, ...], *, store: str, task: str, model: str, answer: Any = str
) -> str | tuple[Message, ...]:
    """The prompt with the most useful reviewed cases before it, where `hitl examples` found that they help this model.

    Unchanged where no set was tried, the newest one did not win, nothing in it fits, or the prompt is a conversation of
    several turns. A set that is newer by less than a minute may not be seen yet.

    Args:
        prompt: What to ask, or the whole conversation.
        store: Where the set is: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Whose examples.
        model: Who is going to be asked, named as `hitl examples` named it.
        answer: The type of the answer; examples that do not fit it are not shown.

    Raises:
        ConfigError: If there is no such store, or the set cannot be read.
        StoreError: If the store refused, or stayed down for two minutes.
        MissingExtra: If examples are to be shown and scikit-learn is not installed.
    """
    messages = without_examples(conversation(prompt))
    if not can_show_examples(messages):
        return prompt
    known = await _newest(store, task, model)
    if known.found is None or known.pool is None:
        return prompt
    picked = await asyncio.to_thread(
        known.pool.select, messages[-1].text, k=known.found.k, max_tokens=known.found.max_tokens
    )
    turns = shown_as_turns(picked, answer_type(answer))
    return show_examples(messages, turns, number=known.found.number) if turns else prompt


def with_examples(
    prompt: str | tuple[Message, ...], *, store: str, task: str, model: str, answer: Any = str
) -> str | tuple[Message, ...]:
    """The same as `awith_examples`, for a flow that is not async."""
    return run_coro_as_sync(awith_examples(prompt, store=store, task=task, model=model, answer=answer))


def shown_as_turns(picked: tuple[Reviewed, ...], answer: AnswerType) -> list[tuple[str, str]]:
    """What was asked, and the answer as the model writes it, without a confidence; only what fits the answer type."""
    return [(one.prompt, written) for one in picked if (written := _written(one, answer)) is not None]


def _written(one: Reviewed, answer: AnswerType) -> str | None:
    try:
        data = answer.as_json(answer.from_json(one.answer))
    except ValueError:
        return None
    # In the order of the type's own fields, in which the model fills them in.
    return json.dumps(data if answer.is_model else {"answer": data}, ensure_ascii=False)


async def _newest(store: str, task: str, model: str) -> _Known:
    place = (store, task, model)
    before = _known.get(place)
    if before is not None and time.monotonic() - before.at_s < _REMEMBERED_S:
        return before
    source = await store_of(store)
    found = await patiently(lambda: asyncio.to_thread(newest_set, source, task, model), STORE_S)
    shown = found if found is not None and found.trial.wins else None
    pool = await asyncio.to_thread(ExamplePool, shown.reviewed) if shown else None
    _known[place] = _Known(time.monotonic(), shown, pool)
    return _known[place]
