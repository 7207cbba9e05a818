"""What the loopback server is told to say, and what it was asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Answer", "Asked", "Fault", "Said", "Script"]

Fault = Literal["hang", "reset", "cut_off", "garbled", "error", "ends_early"]
"""What goes wrong, in a stream after `fault_after` events:

`hang`: nothing comes; `reset`: the connection is reset; `cut_off`: fewer bytes come than announced; `garbled`: half a
JSON object; `error`: an error with the status 200; `ends_early`: the stream ends in good order before the reply does.
"""


@dataclass(frozen=True)
class Said:
    """One reply of the server; all but `text` has a default."""

    text: str = ""
    """What the model writes."""
    tokens: Sequence[tuple[str, float]] = ()
    """(text, log probability); sent where the request asks for log probabilities."""
    finish: Literal["stop", "length", "refusal"] = "stop"
    """Sent as each protocol writes it."""
    finish_as: str | None = None
    """The protocol's own word, where `finish` is too coarse: `content_filter`, `model_context_window_exceeded`."""
    usage: tuple[int, int] = (11, 7)
    """Tokens of input and of output that the server counts."""
    cached_tokens: int | None = None
    """How many of the input tokens came from the cache; Anthropic then also writes two into it."""
    reasoning_tokens: int | None = None
    """How many of the output tokens nobody sees."""
    probabilities: Mapping[str, float | None] = field(default_factory=dict)
    """By question what a decider says; `None` is a refusal, and a question that is not here is not answered."""
    answer_as: Mapping[str, str] = field(default_factory=dict)
    """By question the name that its answer has instead."""
    status: int = 200
    """Anything from 400 on sends an error body, with `text` as its message."""
    error: str = "some_error"
    """The provider's name for the error."""
    param: str | None = None
    """The request field that OpenAI blames."""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0
    """Before anything is sent."""
    pace_s: float = 0
    """Before each event of a stream."""
    fault: Fault | None = None
    fault_after: int = 1
    """How many events of a stream are sent before the fault; below zero counts from the last one."""


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]


Answer = str | Said
Script = Answer | Sequence[Answer] | Callable[[str, dict[str, Any]], Answer]
"""One reply for all, one after the other with the last repeating, or a function of (path, body)."""
