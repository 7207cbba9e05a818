"""Whether examples help a model: reviewed cases that no example is of are asked with and without them."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue

from hitl_prefect.alike import alike_key
from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.configured import provider_of, store_of
from hitl_prefect.direct import Drafted, Tried, draft_and_score_many
from hitl_prefect.errors import ConfigError, HitlError
from hitl_prefect.example_sets import ExampleSet, Reviewed, Trial, next_number, put_set
from hitl_prefect.example_turns import can_show_examples, show_examples
from hitl_prefect.examples import ExamplePool
from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.outcomes import Outcome
from hitl_prefect.patience import MODEL_S
from hitl_prefect.policy import Policy
from hitl_prefect.prompting import shown_as_turns
from hitl_prefect.protocols import Store
from hitl_prefect.reading import Unreadable, read_outcomes
from hitl_prefect.training import TRUSTED, Lesson, lesson_of, split_of

__all__ = ["ExamplePlan", "HeldOut", "aplan_examples", "atry_examples", "plan_examples", "try_examples"]

_HELD_OUT = 0.3
"""The share of reviewed prompts that are kept to try on; audits are kept too, whatever their prompt."""
_FEWEST = 10
"""Held-out cases; with fewer, next to nothing could win."""
_MOST_SHOWN = 500
"""Cases to choose from: what a flow loads."""
_ASKS_NOBODY_ELSE = Policy(scorers=("stated",), second_model=None)


@dataclass(frozen=True)
class HeldOut:
    """A case to try on."""

    messages: tuple[Message, ...]
    wanted: JsonValue


@dataclass(frozen=True)
class ExamplePlan:
    """What is going to be tried; nobody was asked yet."""

    store: Store
    task: str
    answer: Any
    reviewed: tuple[Reviewed, ...]
    """The cases to choose examples from."""
    held_out: tuple[HeldOut, ...]
    unfit: int
    """Reviewed cases that are of no use here: several turns, a picture, or an answer that fits the type no more."""

    @property
    def calls(self) -> int:
        """How often the model is going to be asked."""
        return 2 * len(self.held_out)


async def aplan_examples(store: str, *, task: str, answer: Any = str, most: int = 200) -> ExamplePlan:
    """Read what people decided, and part it into examples and cases to try on.

    Args:
        store: `folder:` path, `s3://` URL, or the name of a saved block.
        task: Whose outcomes.
        answer: The type of the answers.
        most: At most so many cases are tried on, each with two calls.

    Raises:
        ConfigError: If there is no such store, or people decided too few cases.
        StoreError: If the store is down, or lets nobody list.
    """
    source = await store_of(store)
    parting = _Parting(answer_type(answer))
    await asyncio.to_thread(parting.take_all, read_outcomes(source, task))
    held_out, shown = parting.parted(most)
    if len(held_out) < _FEWEST or not shown:
        raise ConfigError(
            f"people decided {len(shown)} cases of task {task!r} to choose examples from and {len(held_out)} to try "
            f"them on ({parting.unfit} more cannot be used): at least 1 and {_FEWEST} are needed, so review more first"
        )
    return ExamplePlan(source, task, answer, tuple(map(_reviewed, shown)), tuple(map(_held, held_out)), parting.unfit)


def plan_examples(store: str, *, task: str, answer: Any = str, most: int = 200) -> ExamplePlan:
    """The same as `aplan_examples`, for a flow that is not async."""
    return run_coro_as_sync(aplan_examples(store, task=task, answer=answer, most=most))


async def atry_examples(
    plan: ExamplePlan, *, model: str, k: int = 8, max_tokens: int = 2000, in_flight: int = 16
) -> ExampleSet:
    """Ask a model about each held-out case with and without examples, and store whether they win.

    Calls that fail in a way that may pass are made again, after pauses of 1 to 16 s. An answer agrees where it says the
    same as people's, but for case, spaces and the punctuation at the ends of texts.

    Args:
        plan: Of `aplan_examples`.
        model: `provider:name`, or the name of a saved block: as the flow names it.
        k: How many examples are shown at most.
        max_tokens: The most that they may take together.
        in_flight: How many calls are under way at once.

    Raises:
        ConfigError: If there is no such model, or it could be asked about no case.
        OutcomeConflict: If others stored five sets at the same time.
        StoreError: If the store refused, or is away.
        MissingExtra: If scikit-learn is not installed.
    """
    provider = await provider_of(model)
    number = await asyncio.to_thread(next_number, plan.store, plan.task)
    cases = await asyncio.to_thread(lambda: list(_cases(plan, number, k, max_tokens)))
    answers = _Answers(plan)
    for pause_s in (0.0, *MODEL_S):
        await asyncio.sleep(pause_s)
        async for tried in draft_and_score_many(cases, model=provider, policy=_ASKS_NOBODY_ELSE, in_flight=in_flight):
            answers.take(tried)
        if not (cases := answers.to_ask_again()):
            break
    found = ExampleSet(
        task=plan.task,
        number=number,
        model=model,
        k=k,
        max_tokens=max_tokens,
        trial=answers.trial(),
        reviewed=plan.reviewed,
    )
    return await asyncio.to_thread(put_set, plan.store, found)


def try_examples(
    plan: ExamplePlan, *, model: str, k: int = 8, max_tokens: int = 2000, in_flight: int = 16
) -> ExampleSet:
    """The same as `atry_examples`, for a flow that is not async."""
    return run_coro_as_sync(atry_examples(plan, model=model, k=k, max_tokens=max_tokens, in_flight=in_flight))


@dataclass
class _Parting:
    """Reviewed cases, by what they ask; of several with the same prompt the latest counts."""

    answer: AnswerType
    lessons: dict[str, Lesson] = field(default_factory=dict)
    unfit: int = 0

    def take_all(self, outcomes: Iterable[Outcome[JsonValue] | Unreadable]) -> None:
        for one in outcomes:
            if not isinstance(one, Unreadable):
                self._take(lesson_of(one))

    def _take(self, lesson: Lesson) -> None:
        if lesson.wanted is None or not lesson.tags <= {*TRUSTED, "audit"}:
            return
        if not self._fits(lesson):
            self.unfit += 1
            return
        before = self.lessons.get(lesson.question)
        if before is None or before.decided_at < lesson.decided_at:
            self.lessons[lesson.question] = lesson

    def _fits(self, lesson: Lesson) -> bool:
        try:
            self.answer.from_json(lesson.wanted)
        except ValueError:
            return False
        return can_show_examples(lesson.messages) and not lesson.has_images

    def parted(self, most: int) -> tuple[list[Lesson], list[Lesson]]:
        """Those to try on, and those to show; in the order of a hash, so that to take some of them is fair."""
        held_out: list[Lesson] = []
        shown: list[Lesson] = []
        for question in sorted(self.lessons):
            lesson = self.lessons[question]
            kept = lesson.how == "audit" or split_of(question, _HELD_OUT) == "validation"
            (held_out if kept else shown).append(lesson)
        # Corrected ones first: of more than a flow should load, they show most.
        shown.sort(key=lambda one: one.unwanted is None)
        return held_out[:most], shown[:_MOST_SHOWN]


def _reviewed(lesson: Lesson) -> Reviewed:
    return Reviewed(
        case_id=lesson.case_id,
        prompt=lesson.messages[-1].text,
        answer=lesson.wanted,
        corrected=lesson.unwanted is not None,
    )


def _held(lesson: Lesson) -> HeldOut:
    return HeldOut(messages=lesson.messages, wanted=lesson.wanted)


def _cases(plan: ExamplePlan, number: int, k: int, max_tokens: int) -> Iterator[Case]:
    """Each held-out case as it is, and with examples."""
    pool, answer = ExamplePool(plan.reviewed), answer_type(plan.answer)
    for place, one in enumerate(plan.held_out):
        picked = pool.select(one.messages[-1].text, k=k, max_tokens=max_tokens)
        shown = show_examples(one.messages, shown_as_turns(picked, answer), number=number)
        yield Case(id=f"{place}.without", task=plan.task, prompt=one.messages, answer=plan.answer)
        yield Case(id=f"{place}.with", task=plan.task, prompt=shown, answer=plan.answer)


class _Answers:
    """What came back, case by case."""

    def __init__(self, plan: ExamplePlan) -> None:
        self._plan = plan
        self._agreed: dict[str, bool] = {}
        self._why: HitlError | None = None
        self._again: list[Case] = []

    def take(self, tried: Tried) -> None:
        place = int(tried.case.id.partition(".")[0])
        if tried.drafted is not None:
            self._agreed[tried.case.id] = _agrees(tried.drafted, self._plan.held_out[place].wanted)
            return
        self._why = tried.error
        if tried.error is not None and tried.error.retryable:
            self._again.append(tried.case)

    def to_ask_again(self) -> list[Case]:
        """What failed in a way that may pass, since this was last asked for."""
        found, self._again = self._again, []
        return found

    def trial(self) -> Trial:
        """The pairs, counted.

        Raises:
            ConfigError: If there is none.
        """
        places = range(len(self._plan.held_out))
        both = [(self._agreed.get(f"{place}.with"), self._agreed.get(f"{place}.without")) for place in places]
        pairs = [pair for pair in both if None not in pair]
        if not pairs:
            raise ConfigError(f"the model answered no case both ways; the last failure: {self._why}") from self._why
        return Trial(
            agreed_both=pairs.count((True, True)),
            only_with=pairs.count((True, False)),
            only_without=pairs.count((False, True)),
            agreed_neither=pairs.count((False, False)),
            unanswered=len(both) - len(pairs),
        )


def _agrees(drafted: Drafted, wanted: JsonValue) -> bool:
    generation = drafted.generation
    return generation.status == "ok" and alike_key(generation.answer, "same") == alike_key(wanted, "same")
