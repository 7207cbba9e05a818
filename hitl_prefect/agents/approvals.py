"""From tool calls that wait for approval to what Pydantic AI takes back: approved, approved with changes, denied."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from pydantic_ai import DeferredToolRequests, DeferredToolResults, RunContext, Tool, ToolApproved, ToolDenied
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset

from hitl_prefect.agents.arguments import arguments_type
from hitl_prefect.agents.calls import Desk, KnownTool, ToolCall, decide, denial
from hitl_prefect.agents.replay import Replay
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.outcomes import Outcome

__all__ = ["Approvals", "Check", "Reviewed", "checks_of", "known_tool"]


Check = Callable[[Any], object]
"""Raises `ValueError` where a tool would not take the arguments."""


@dataclass(frozen=True)
class Approvals:
    """What people say about the calls of one turn."""

    desk: Desk
    tools: Mapping[str, KnownTool]
    context: str
    """What the agent was asked to do."""
    model: str
    """`provider:name` of whoever wants to make the calls."""

    async def of(self, requests: DeferredToolRequests) -> DeferredToolResults:
        """Ask about every call that needs approval; those that wait for a result from outside are left open."""
        # One after the other: a flow run can wait for one person at a time.
        outcomes = {call.tool_call_id: await self._decided(call) for call in requests.approvals}
        return requests.build_results(
            approvals={name: _approval(outcome) for name, outcome in outcomes.items()},
            answered_by={name: ", ".join(_people(outcome)) for name, outcome in outcomes.items()},
        )

    async def _decided(self, call: ToolCallPart) -> Outcome[JsonValue]:
        made = ToolCall(
            id=call.tool_call_id,
            tool=call.tool_name,
            arguments=call.args_as_dict(raise_if_invalid=True),
            context=self.context,
            model=self.model,
        )
        return await decide(made, self.desk, self.tools.get(call.tool_name, KnownTool()))


def _approval(outcome: Outcome[JsonValue]) -> ToolApproved | ToolDenied:
    arguments = outcome.final_answer
    if outcome.decision not in ("approve", "edit") or not isinstance(arguments, dict):
        return ToolDenied(denial(outcome))
    same = canonical_bytes(arguments) == canonical_bytes(outcome.generation.answer)
    return ToolApproved() if same else ToolApproved(override_args=dict(arguments))


def _people(outcome: Outcome[JsonValue]) -> list[str]:
    verdicts = outcome.review.verdicts if outcome.review else ()
    return list(dict.fromkeys(one.reviewer for one in verdicts if one.reviewer))


def known_tool(tool: Tool[Any]) -> KnownTool:
    """What is known of a Python function that is a tool."""
    return KnownTool(arguments_type(tool.function_schema.json_schema, _check(tool)), tool.description or "")


def checks_of(toolsets: Sequence[AbstractToolset[Any]]) -> dict[str, Check]:
    """How each Python function among the tools checks its arguments, by its name."""
    found: dict[str, Check] = {}

    def look(toolset: AbstractToolset[Any]) -> None:
        if isinstance(toolset, FunctionToolset):
            found.update({name: _check(tool) for name, tool in toolset.tools.items()})

    for toolset in toolsets:
        toolset.apply(look)
    return found


def _check(tool: Tool[Any]) -> Check:
    return tool.function_schema.validator.validate_python


@dataclass
class Reviewed(Replay):
    """Asks people about the calls that need approval, while the agent runs."""

    desk: Desk = field(kw_only=True)
    checks: Mapping[str, Check] = field(kw_only=True)

    async def handle_deferred_tool_calls(
        self, ctx: RunContext[Any], *, requests: DeferredToolRequests
    ) -> DeferredToolResults:
        """What people decided; the flow run waits for them."""
        # The definitions that the model saw, of whatever toolset: a tool of an MCP server has a typed form too.
        tools = {
            name: KnownTool(arguments_type(one.parameters_json_schema, self.checks.get(name)), one.description or "")
            for name, one in ctx.tools.items()
            if any(call.tool_name == name for call in requests.approvals)
        }
        context = ctx.prompt if isinstance(ctx.prompt, str) else ""
        return await Approvals(self.desk, tools, context=context, model=_model(ctx)).of(requests)


def _model(ctx: RunContext[Any]) -> str:
    """Who wants to make the calls: the model of the last reply."""
    last = next((one for one in reversed(ctx.messages) if isinstance(one, ModelResponse)), None)
    provider = (last and last.provider_name) or ctx.model.system
    return f"{provider}:{(last and last.model_name) or ctx.model.model_name}"
