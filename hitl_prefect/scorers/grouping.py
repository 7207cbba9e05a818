"""Which free-text answers mean the same, as a model tells it in one question."""

from collections.abc import Sequence

from pydantic import Field, JsonValue

from hitl_prefect.answers import answer_type
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import fence
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.scorers.base import Sitting
from hitl_prefect.scorers.clusters import gathered
from hitl_prefect.scorers.quoting import as_text, in_question

__all__ = ["grouped"]

_ASK = (
    "Group these answers: two of them belong together when, as answers to the question, they say the same. "
    "Give for each answer, in order, the number of its group, counting the groups from 1."
)


class Groups(Frozen):
    """What the model is asked to fill in."""

    groups: list[int] = Field(description="For each answer, in order, the number of its group.")


async def grouped(
    sitting: Sitting, answers: Sequence[JsonValue], *, model: str | None
) -> tuple[list[int] | None, Reply]:
    """For each answer the number of its group, and the reply that told it.

    Equal answers are shown once. The numbers are `None` where the model did not give one for each answer.

    Raises:
        ProviderError: If there was no reply.
    """
    equal = gathered(answers)
    distinct = [answers[equal.index(number)] for number in dict.fromkeys(equal)]
    reply = await sitting.asker.ask(_request(sitting, distinct), model=model)
    groups = _read(reply, len(distinct))
    return (groups and [groups[number] for number in equal]), reply


def _request(sitting: Sitting, distinct: Sequence[JsonValue]) -> Request:
    shown = [f"Answer {number}:\n\n{fence(as_text(one))}" for number, one in enumerate(distinct, 1)]
    return Request(messages=in_question(sitting, *shown, _ASK), answer=Groups, ask_confidence=False, logprobs=False)


def _read(reply: Reply, count: int) -> list[int] | None:
    reading = answer_type(Groups).read(reply.text)
    if reply.finish != "stop" or not isinstance(reading.answer, dict):
        return None
    groups = Groups.model_validate(reading.answer).groups
    return groups if len(groups) == count and all(1 <= one <= count for one in groups) else None
