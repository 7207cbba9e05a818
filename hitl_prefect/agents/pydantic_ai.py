"""Pydantic AI: tool calls that need approval are reviewed by people, and the agent goes on with what they decided."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.agents.calls import Desk, approval_policy
from hitl_prefect.configured import store_of
from hitl_prefect.errors import ConfigError, MissingExtra
from hitl_prefect.journal import open_journal
from hitl_prefect.opening import make_case
from hitl_prefect.policy import REVIEW_ALL, Policy

try:
    from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, Tool
    from pydantic_ai.agent import AgentRunResult
    from pydantic_ai.usage import UsageLimits

    from hitl_prefect.agents.approvals import Approvals, Reviewed, checks_of, known_tool
    from hitl_prefect.agents.replay import begin
except ImportError as exc:
    raise MissingExtra("agents need Pydantic AI: pip install 'hitl_prefect[agents]'") from exc

__all__ = ["areview_tool_calls", "arun_agent", "review_tool_calls", "run_agent"]

D = TypeVar("D")
O = TypeVar("O")  # noqa: E741 - an agent's output


async def arun_agent(
    agent: Agent[D, O],
    prompt: str,
    *,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    deps: D = None,  # type: ignore[assignment]  # as Pydantic AI has it: an agent without dependencies
    usage_limits: UsageLimits | None = None,
    name: str = "agent",
) -> AgentRunResult[O]:
    """Run an agent in the body of a flow; a tool call that needs approval waits for a person.

    In a deployment the flow run is suspended while people decide. When it runs again from the top, the model's replies
    and the tools' results are read back: no model is asked and no tool is run a second time.

    Args:
        agent: The agent; its tools with `requires_approval=True`, and those that raise `ApprovalRequired`, are
            reviewed. A typed form shows the arguments.
        prompt: What the agent is asked to do.
        task: What kind of case its tool calls are, as a slug: `refunds`.
        store: Where the outcome of each tool call is kept: `folder:` path, `s3://` URL, or the name of a saved block.
        policy: Who approves, until when, how many: the policy, or the name of a saved block.
        deps: The agent's dependencies.
        usage_limits: What the agent may use at most.
        name: Names the agent within the flow run; two agents of one run need two names.

    Returns:
        The agent's own result.

    Raises:
        ConfigError: If something that a review will need is missing; before the model is asked.
        StoreError: If an outcome could not be stored, after retries; the decision is not lost, a retry finishes.
    """
    desk = Desk(task=task, store=store, policy=await approval_policy(policy))
    await store_of(store)
    run = make_case(prompt, task=task, case_id=f"agent.{name}")
    async with open_journal(run) as journal:
        if journal is None:
            raise ConfigError("an agent is run in a flow run: call it in the body of a function with @flow")
        began = await begin(journal, prompt)
        reviewed = Reviewed(journal, desk=desk, checks=checks_of(agent.toolsets))
        return await agent.run(began.prompt, deps=deps, usage_limits=usage_limits, capabilities=[reviewed])


def run_agent(
    agent: Agent[D, O],
    prompt: str,
    *,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    deps: D = None,  # type: ignore[assignment]
    usage_limits: UsageLimits | None = None,
    name: str = "agent",
) -> AgentRunResult[O]:
    """The same as `arun_agent`, for a flow that is not async."""
    return run_coro_as_sync(
        arun_agent(
            agent, prompt, task=task, store=store, policy=policy, deps=deps, usage_limits=usage_limits, name=name
        )
    )


async def areview_tool_calls(
    requests: DeferredToolRequests,
    *,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    tools: Sequence[Tool[Any] | Callable[..., Any]] = (),
    context: str = "",
    model: str = "agent:unknown",
) -> DeferredToolResults:
    """Ask people about the tool calls that need approval, one after the other.

    For a flow that runs its agent itself. It must not ask the model again when it runs from the top: keep the message
    history where it outlasts the process, or use `arun_agent`. Arguments that changed meanwhile are asked about anew.

    Args:
        requests: What the agent's run ended with. Calls that wait for a result from outside are left to you.
        task: What kind of case these tool calls are, as a slug.
        store: Where the outcome of each tool call is kept.
        policy: Who approves, until when, how many.
        tools: The agent's tools; of those given here the form shows the arguments with their types, of others as JSON.
        context: What the agent was asked to do, for the person.
        model: `provider:name` of the agent's model, for the record.

    Returns:
        What `agent.run(deferred_tool_results=...)` takes: approved as it stands, approved with other arguments, or
        denied with the reviewer's reason.

    Raises:
        ConfigError: If something that a review will need is missing.
        StoreError: If an outcome could not be stored, after retries; the decision is not lost, a retry finishes.
    """
    desk = Desk(task=task, store=store, policy=await approval_policy(policy))
    given = [tool if isinstance(tool, Tool) else Tool(tool) for tool in tools]
    known = {tool.name: known_tool(tool) for tool in given}
    return await Approvals(desk, known, context=context, model=model).of(requests)


def review_tool_calls(
    requests: DeferredToolRequests,
    *,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    tools: Sequence[Tool[Any] | Callable[..., Any]] = (),
    context: str = "",
    model: str = "agent:unknown",
) -> DeferredToolResults:
    """The same as `areview_tool_calls`, for a flow that is not async."""
    return run_coro_as_sync(
        areview_tool_calls(requests, task=task, store=store, policy=policy, tools=tools, context=context, model=model)
    )
