"""Decisions: OpenAI's protocol for questions that are answered with a probability."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Usage
from hitl_prefect.protocols import Decided, Question
from hitl_prefect.providers._bodies import Lenient, OrNone, ReadUsage
from hitl_prefect.providers._exchange import Answered
from hitl_prefect.providers._strict import address

if TYPE_CHECKING:
    from openai.types.decision_create_params import DecisionCreateParams, InputUnionMember1
    from openai.types.decision_input_part_union_param import DecisionInputPartUnionParam

__all__ = ["DecisionBody", "asked_of_decisions", "decided"]


def asked_of_decisions(model: str, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Mapping[str, Any]:
    """The body of `POST /v1/decisions`: every question is a statement that is true or false of the messages."""
    asked: DecisionCreateParams = {
        "model": model,
        "input": [_message(one) for one in messages],
        "questions": [{"type": "predicate", "name": one.name, "instructions": one.instructions} for one in questions],
    }
    return asked


def _message(message: Message) -> "InputUnionMember1":
    match message.role:
        case "system":
            return {"type": "message", "role": "system", "content": message.text}
        case "assistant":
            return {"type": "message", "role": "assistant", "content": message.text}
        case "user":
            content = message.content if isinstance(message.content, str) else [_part(one) for one in message.pieces]
            return {"type": "message", "role": "user", "content": content}


def _part(piece: str | Image) -> "DecisionInputPartUnionParam":
    if isinstance(piece, str):
        return {"type": "input_text", "text": piece}
    return {"type": "input_image", "image_url": address(piece)}


class _Answer(Lenient):
    name: str | None = None
    probability: OrNone[float] = None
    """A refusal has none."""


class DecisionBody(Lenient):
    """What is read of a decision."""

    model: str | None = None
    answers: tuple[_Answer, ...]
    usage: OrNone[ReadUsage] = None


def decided(answered: Answered[DecisionBody], model: str, questions: tuple[Question, ...]) -> Decided:
    """The probabilities in a decision; a question that was declined, or whose answer is missing, has none."""
    body = answered.body
    said = {one.name: _within(one.probability) for one in body.answers}
    return Decided(
        probabilities={one.name: said.get(one.name) for one in questions},
        model=body.model or model,
        usage=body.usage.as_usage() if body.usage else Usage(),
        request_id=answered.request_id,
    )


_ROUNDING = 1e-6


def _within(probability: float | None) -> float | None:
    """Within [0, 1], but for a rounding error; what is further off is no probability."""
    if probability is None or not -_ROUNDING <= probability <= 1 + _ROUNDING:
        return None
    return min(1.0, max(0.0, probability))
