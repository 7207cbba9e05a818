"""The demo's second round: further messages tell whether what people decided in the first has taught anything."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hitl_prefect.demo.story import CATEGORIES, INSTRUCTIONS, DemoMessage, read_messages
from hitl_prefect.direct import draft_and_score
from hitl_prefect.frozen import Frozen
from hitl_prefect.learning import Labelled, StoredModel, keep_model, labelled, train_classifier
from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.outcomes import Outcome
from hitl_prefect.policy import Policy
from hitl_prefect.protocols import Store
from hitl_prefect.providers.embedded import support_messages
from hitl_prefect.providers.trained import TrainedProvider
from hitl_prefect.routing import route
from hitl_prefect.shares import Share
from hitl_prefect.stores.folder import FolderStore

__all__ = ["LEARNS", "Round", "SecondRound", "second_round"]

LEARNS = "embedded:support"
"""The model whose training messages are here, so that it can be trained with and without what people decided."""

_TASK = "support"


class Round(Frozen):
    """How many messages go to a person, and how good the rest is."""

    name: Literal["first", "second, before learning", "second, after learning"]
    asked: Share
    """Messages that go to a person, of all."""
    wrong: Share
    """Wrong ones, of those that are accepted without one."""


class SecondRound(Frozen):
    """What was learnt, and what it changed."""

    learnt_from: int
    """Answers of the first round that people gave or approved."""
    shipped: int
    """Messages of the package that both classifiers are trained on."""
    rounds: tuple[Round, Round, Round]
    others_before: Share
    """Right ones of the package's messages that neither is trained on, before learning; they are of all kinds."""
    others_after: Share


async def second_round(outcomes: Sequence[Outcome[str]], *, folder: Path) -> SecondRound:
    """Train one classifier without and one with what people decided, and put the second messages to both.

    Both are trained in the same way and kept in the store, as `hitl train` keeps them. The messages are drafted, scored
    and routed as in a flow, by the bar of the first round, but in this process.

    Args:
        outcomes: Those of the first round, of messages that the demo sent.
        folder: Their store, where the classifiers are kept too.
    """
    store, labels = FolderStore(folder), labelled(outcomes)
    before = await asyncio.to_thread(_kept, store, _shipped())
    after = await asyncio.to_thread(_kept, store, [*_shipped(), *labels])
    policy = Policy(min_confidence=outcomes[0].route.bar)
    return SecondRound(
        learnt_from=len(labels),
        shipped=before.classifier.trained_on["blind"],
        rounds=(
            _first(outcomes),
            await _round("second, before learning", TrainedProvider(store, _TASK, before.version), policy),
            await _round("second, after learning", TrainedProvider(store, _TASK, after.version), policy),
        ),
        others_before=before.classifier.held_out.right,
        others_after=after.classifier.held_out.right,
    )


def _shipped() -> list[Labelled]:
    """The package's own messages; as with audits, some are there to test on and never trained on."""
    return [
        Labelled(f"shipped-{number:03d}", one.text, one.category, "audit" if one.split == "held_out" else "blind")
        for number, one in enumerate(support_messages())
    ]


def _kept(store: Store, labels: Sequence[Labelled]) -> StoredModel:
    return keep_model(store, train_classifier(labels, task=_TASK))


def _first(outcomes: Sequence[Outcome[str]]) -> Round:
    right = {message.id: message.category for message in read_messages(1)}
    accepted = [one for one in outcomes if one.review is None]
    return Round(
        name="first",
        asked=Share(hits=len(outcomes) - len(accepted), of=len(outcomes)),
        wrong=Share.true(one.final_answer != right[one.case.id] for one in accepted),
    )


async def _round(
    name: Literal["second, before learning", "second, after learning"], model: TrainedProvider, policy: Policy
) -> Round:
    messages = read_messages(2)
    said = [await _said(one, model, policy) for one in messages]
    return Round(
        name=name,
        asked=Share.true(answer is None for answer in said),
        wrong=Share.true(
            answer != one.category for answer, one in zip(said, messages, strict=True) if answer is not None
        ),
    )


async def _said(message: DemoMessage, model: TrainedProvider, policy: Policy) -> str | None:
    """The accepted answer; `None` where a person is to be asked."""
    prompt = (Message(role="system", content=INSTRUCTIONS), Message(role="user", content=message.text))
    case = Case(id=message.id, task=_TASK, prompt=prompt, answer=Literal[CATEGORIES])
    drafted = await draft_and_score(case, model=model, policy=policy)
    routed = route(case, drafted.generation, drafted.score, policy=policy)
    return str(drafted.generation.answer) if routed.action == "accept" else None
