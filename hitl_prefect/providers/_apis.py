"""Which of OpenAI's protocols a model is asked in."""

import re
from typing import Literal, TypeAlias

from hitl_prefect.frozen import Frozen

__all__ = ["Api", "ApiInUse", "Known", "blames_the_api", "other_than", "usual_api"]

Api: TypeAlias = Literal["auto", "chat", "responses"]
"""`auto`: the one that the model is made for."""

ApiInUse: TypeAlias = Literal["chat", "responses"]


class Known(Frozen):
    """How a model is asked."""

    api: ApiInUse
    logprobs: bool
    """Whether it may be asked for token log probabilities."""


_OPENAI = re.compile(r"([a-z0-9-]+\.)?api\.openai\.com")
_OLDER = re.compile(r"(ft:)?(gpt-4|gpt-3\.5|chatgpt-4o)")
_ANOTHER_API = re.compile(r"chat/completions|chat completions api|/responses\b|responses api", re.IGNORECASE)


def usual_api(model: str, host: str) -> ApiInUse:
    """The protocol that the model is made for.

    At OpenAI itself, reasoning models keep their thoughts apart and count them in Responses only, and some are served
    nowhere else; the older ones give token log probabilities in Chat Completions. Any other server is only known to
    speak Chat Completions.

    >>> usual_api("gpt-5-mini", "api.openai.com"), usual_api("gpt-4.1", "api.openai.com")
    ('responses', 'chat')
    >>> usual_api("gpt-5-mini", "llm.example.com")
    'chat'
    """
    if not _OPENAI.fullmatch(host) or _OLDER.match(model):
        return "chat"
    return "responses"


def other_than(api: ApiInUse) -> ApiInUse:
    """The other protocol."""
    return "responses" if api == "chat" else "chat"


def blames_the_api(status: int, message: str) -> bool:
    """Whether a request was refused because the model is not served by this protocol.

    OpenAI answers 404, such as `This is not a chat model and thus not supported in the v1/chat/completions endpoint`
    (https://github.com/micz/ThunderAI/issues/570); other servers 400 or 404, and name the endpoint too.
    """
    return status in (400, 404, 405) and _ANOTHER_API.search(message) is not None
