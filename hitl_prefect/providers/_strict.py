"""What both of OpenAI's protocols say alike: the strict JSON schema of an answer type, and a picture as an address."""

from functools import lru_cache
from typing import Any, NamedTuple

import openai

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.messages import Image
from hitl_prefect.protocols import Request

__all__ = ["StrictSchema", "address", "strict_schema"]


class StrictSchema(NamedTuple):
    """A JSON schema that the reply must fit."""

    name: str
    schema: dict[str, Any]


def strict_schema(request: Request) -> StrictSchema:
    """The schema of the request's answer type, as the SDK's own `parse` makes it."""
    return _made_once(answer_type(request.answer), request.ask_confidence)


@lru_cache(maxsize=256)
def _made_once(answer: AnswerType, ask_confidence: bool) -> StrictSchema:
    # Making it takes 2 ms, as much as all the rest of a call.
    draft = answer.draft_model(ask_confidence=ask_confidence)
    return StrictSchema(draft.__name__, openai.pydantic_function_tool(draft)["function"]["parameters"])


def address(image: Image) -> str:
    """Where the image is, or the image itself as a `data:` address."""
    return image.address() or f"data:{image.media_type};base64,{image.data}"
