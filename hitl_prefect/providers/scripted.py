"""A provider that reads from a script: for tests, the demo and trying a flow without a key."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, Self
from uuid import uuid4

from pydantic import Field, TypeAdapter, ValidationError

from hitl_prefect.errors import (
    ConfigError,
    HitlError,
    ProviderDenied,
    ProviderUnavailable,
    RateLimited,
)
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Confidence, Usage
from hitl_prefect.protocols import OnText, Reply, Request, Token

__all__ = ["ScriptedProvider", "Step", "find", "register"]

_ERRORS: dict[str, type[HitlError]] = {
    error.__name__: error for error in (ConfigError, ProviderDenied, ProviderUnavailable, RateLimited)
}


class Step(Frozen):
    """What happens at one call."""

    text: str = ""
    """What the model writes."""
    delay_s: float = Field(default=0, ge=0)
    error: Literal["ConfigError", "ProviderDenied", "ProviderUnavailable", "RateLimited"] | None = None
    """Raised in place of a reply, after the delay."""
    retry_after_s: float | None = None
    """What a `RateLimited` says."""
    refusal: bool = False
    truncated: bool = False
    tokens: tuple[tuple[str, float], ...] = ()
    """(text, log probability) of each token."""
    top: tuple[tuple[tuple[str, float], ...], ...] = ()
    """The likeliest tokens in place of each of `tokens`; may end before they do."""
    probability: Confidence | None = None
    """A classifier's own probability of its answer."""
    usage: Usage = Usage()

    async def write(self, on_text: OnText) -> None:
        """Show the text word by word over `delay_s`."""
        words = re.findall(r"\s*\S+", self.text) or [""]
        for number in range(1, len(words) + 1):
            await asyncio.sleep(self.delay_s / len(words))
            on_text("".join(words[:number]))

    def play(self, model: str) -> Reply:
        """The reply of this step.

        Raises:
            HitlError: The step's `error`.
        """
        if self.error == "RateLimited":
            raise RateLimited("the script says so", self.retry_after_s)
        if self.error:
            raise _ERRORS[self.error]("the script says so")
        return Reply(
            text=self.text,
            finish="refusal" if self.refusal else "length" if self.truncated else "stop",
            model=model,
            tokens=tuple(
                Token(text=text, logprob=logprob, top=self.top[place] if place < len(self.top) else ())
                for place, (text, logprob) in enumerate(self.tokens)
            ),
            probability=self.probability,
            usage=self.usage,
        )


_SCRIPT = TypeAdapter(list[Step])


class _Count(Protocol):
    """How many calls there were; each call takes the next position."""

    def take(self) -> int: ...

    def total(self) -> int: ...


class _InMemory:
    def __init__(self) -> None:
        self._taken = 0

    def take(self) -> int:
        self._taken += 1
        return self._taken - 1

    def total(self) -> int:
        return self._taken


class _InFile:
    """Shared by every process that plays the same file: each call appends one line, and its place is the position."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> int:
        mine = uuid4().hex
        with self._path.open("ab", buffering=0) as calls:
            calls.write(f"{mine}\n".encode())
        return self._lines().index(mine)

    def total(self) -> int:
        return len(self._lines())

    def _lines(self) -> list[str]:
        return self._path.read_text().split() if self._path.exists() else []


class ScriptedProvider:
    """Plays steps in order; the last one repeats. Where it is streamed, the text arrives word by word.

    Args:
        steps: A text, an error to raise, or a `Step`, per call.
        model: The name under which it answers.

    Raises:
        ConfigError: If there are no steps.
    """

    name = "scripted"
    gives_logprobs = True

    def __init__(self, steps: Sequence[str | Exception | Step], *, model: str = "script") -> None:
        if not steps:
            raise ConfigError(f"the script {model!r} has no steps; give at least one")
        self.model = model
        self.requests: list[Request] = []
        """What this very object was asked, in order."""
        self._steps = [Step(text=step) if isinstance(step, str) else step for step in steps]
        self._count: _Count = _InMemory()

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The script in a JSON file: a list of objects with the fields of `Step`.

        Calls are counted over processes, in a file next to it: one line per call in `<name>.json.calls`.

        Raises:
            ConfigError: If the file is missing or holds something else.
        """
        try:
            script = cls(_SCRIPT.validate_json(path.read_bytes()), model=path.stem)
        except (OSError, ValidationError) as exc:
            raise ConfigError(f"{str(path)!r} holds no script, a JSON list of steps: {exc}") from exc
        script._count = _InFile(path.with_name(f"{path.name}.calls"))
        return script

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return self._count.total()

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """Play the next step.

        Raises:
            Exception: If the step is one, or says so.
        """
        self.requests.append(request)
        step = self._steps[min(self._count.take(), len(self._steps) - 1)]
        if isinstance(step, Exception):
            raise step
        if on_text is None:
            await asyncio.sleep(step.delay_s)
        else:
            await step.write(on_text)
        return step.play(self.model)


_registered: dict[str, ScriptedProvider] = {}


def register(name: str, steps: Sequence[str | Exception | Step]) -> ScriptedProvider:
    """Make `scripted:<name>` mean these steps, in this process; a name registered before starts afresh."""
    _registered[name] = ScriptedProvider(steps, model=name)
    return _registered[name]


def find(name: str) -> ScriptedProvider:
    """The script of that name, or in the JSON file of that path.

    Raises:
        ConfigError: If there is neither.
    """
    if name.endswith(".json"):
        return ScriptedProvider.from_file(Path(name))
    if name not in _registered:
        raise ConfigError(
            f"no script {name!r} is registered in this process; "
            "call `hitl_prefect.providers.scripted.register`, or name a .json file"
        )
    return _registered[name]
