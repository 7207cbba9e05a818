"""What an agent has already done in this flow run, so that a run which begins again from the top does it once.

Every reply of the model and every result of a tool is a row of the flow run. When the flow runs again after a resume, a
retry or a crash, the agent walks the same way and finds them there, down to the tool call that waits for a person.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturn,
    ToolReturnPart,
)
from pydantic_ai.tools import RunContext

from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.journal import Execution, Journal, execution_of

__all__ = ["Began", "Replay", "begin"]

_TOOL_RETURN: TypeAdapter[ToolReturn[Any]] = TypeAdapter(ToolReturn)


_begun: set[tuple[Execution, str]] = set()
"""The agents that this process has begun to run."""


class Began(Frozen):
    """What the agent was asked when this flow run began; it stays so when the code changes while a review waits."""

    prompt: str


async def begin(journal: Journal, prompt: str) -> Began:
    """What the agent is asked.

    Raises:
        ConfigError: If the flow has run an agent under that name before: the second would read the first one's replies.
    """
    here = (execution_of(journal.flow_run_id), journal.slug)
    if here in _begun:
        raise ConfigError("this flow run has run an agent of that task and name before: give each a name of its own")
    _begun.add(here)
    return journal.read("began", Began) or await journal.record("began", Began(prompt=prompt))


class _Reply(Frozen):
    """One reply of the model."""

    message: JsonValue


class _Done(Frozen):
    """What a tool returned."""

    content: JsonValue
    whole: bool = False
    """Whether it is a `ToolReturn`, with more for the model than the value."""


@dataclass
class Replay(AbstractCapability[Any]):
    """Records replies and results in a journal, and gives back what stands there.

    A model is asked, and a tool is run, once. Two moments remain: a process that is killed while the call is under way
    takes its end with it, so the call is made again; and a tool that ended in an error is run again.
    """

    journal: Journal
    _replies: int = 0

    async def wrap_model_request(self, ctx: RunContext[Any], *, request_context: Any, handler: Any) -> ModelResponse:  # noqa: ARG002 - the hook's signature
        """Ask the model, unless its reply stands in the journal."""
        self._replies += 1
        step = f"reply-{self._replies}"
        if (found := self.journal.read(step, _Reply)) is None:
            reply = await handler(request_context)
            found = await self.journal.record(step, _Reply(message=_dumped(reply)))
        (message,) = ModelMessagesTypeAdapter.validate_python([found.message])
        if not isinstance(message, ModelResponse):
            raise ConfigError(f"{step} of this flow run is no reply of a model: another agent wrote it; name this one")
        return message

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],  # noqa: ARG002 - the hook's signature
        *,
        call: ToolCallPart,
        tool_def: Any,  # noqa: ARG002
        args: Any,
        handler: Any,
    ) -> Any:
        """Run the tool, unless its result stands in the journal."""
        # Not by the id alone: some servers count anew in each turn, and an approved call would read another's result.
        named = "\n".join((call.tool_call_id, call.tool_name, call.args_as_json_str()))
        step = f"done-{hashlib.sha256(named.encode()).hexdigest()[:16]}"
        if (found := self.journal.read(step, _Done)) is None:
            found = await self.journal.record(step, _done(call, await handler(args)))
        return _result(found)


def _done(call: ToolCallPart, result: Any) -> _Done:
    if isinstance(result, ToolReturn):
        return _Done(content=_TOOL_RETURN.dump_python(result, mode="json"), whole=True)
    part = ToolReturnPart(tool_name=call.tool_name, tool_call_id=call.tool_call_id, content=result)
    return _Done(content=_dumped(ModelRequest(parts=[part])))


def _result(done: _Done) -> Any:
    if done.whole:
        return _TOOL_RETURN.validate_python(done.content)
    (message,) = ModelMessagesTypeAdapter.validate_python([done.content])
    part = message.parts[0]
    return part.content if isinstance(part, ToolReturnPart) else None


def _dumped(message: ModelMessage) -> JsonValue:
    (data,) = ModelMessagesTypeAdapter.dump_python([message], mode="json")
    return data  # type: ignore[no-any-return]  # JSON mode gives JSON data
