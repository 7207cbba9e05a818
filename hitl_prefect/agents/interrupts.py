"""LangChain's human-in-the-loop middleware: what its interrupt asks becomes what `Command(resume=...)` takes.

Plain data in, plain data out; neither LangChain nor LangGraph is needed here. The shapes are those of
`langchain.agents.middleware.human_in_the_loop` in langchain 1.5.2, with its default `interrupt_mode="batched"`.
"""

from typing import Any, Literal

from prefect.utilities.asyncutils import run_coro_as_sync
from pydantic import JsonValue, ValidationError

from hitl_prefect.agents.arguments import arguments_type
from hitl_prefect.agents.calls import Desk, KnownTool, ToolCall, approval_policy, decide, denial
from hitl_prefect.answers import problems_of
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import Outcome
from hitl_prefect.policy import REVIEW_ALL, Policy

__all__ = ["areview_interrupt", "review_interrupt"]

_NEEDED = {"approve", "edit", "reject"}


class _ActionRequest(Frozen):
    name: str
    args: dict[str, JsonValue]
    description: str = ""


class _ReviewConfig(Frozen):
    action_name: str
    allowed_decisions: tuple[Literal["approve", "edit", "reject", "respond"], ...]


class _Request(Frozen):
    """What the middleware interrupts with."""

    action_requests: tuple[_ActionRequest, ...]
    review_configs: tuple[_ReviewConfig, ...]


async def areview_interrupt(
    value: dict[str, Any],
    *,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    schemas: dict[str, dict[str, Any]] | None = None,
    context: str = "",
    turn: str = "1",
) -> dict[str, Any]:
    """Ask people about each action of an interrupt, one after the other.

    Args:
        value: The interrupt's value: `{"action_requests": [...], "review_configs": [...]}`.
        task: What kind of case these actions are, as a slug.
        store: Where the outcome of each action is kept.
        policy: Who approves, until when, how many.
        schemas: The JSON schema of the arguments by the tool's name, for typed forms; of others the form shows JSON.
        context: What the agent was asked to do, for the person.
        turn: Names the interrupt within the flow run: the same action in another turn is asked about anew. Use the
            interrupt's `id`.

    Returns:
        `{"decisions": [...]}`, one for each action in its order, for `Command(resume=...)`.

    Raises:
        ConfigError: If the value has another shape, or a tool does not allow what a reviewer may decide.
        StoreError: If an outcome could not be stored, after retries; the decision is not lost, a retry finishes.
    """
    request = _read(value)
    desk = Desk(task=task, store=store, policy=await approval_policy(policy))
    decisions = []
    for number, action in enumerate(request.action_requests):
        call = ToolCall(id=f"{turn}/{number}", tool=action.name, arguments=action.args, context=context)
        known = KnownTool(arguments_type((schemas or {}).get(action.name, {})), action.description)
        decisions.append(_decision(action, await decide(call, desk, known)))
    return {"decisions": decisions}


def review_interrupt(
    value: dict[str, Any],
    *,
    task: str,
    store: str,
    policy: Policy | str = REVIEW_ALL,
    schemas: dict[str, dict[str, Any]] | None = None,
    context: str = "",
    turn: str = "1",
) -> dict[str, Any]:
    """The same as `areview_interrupt`, for a flow that is not async."""
    return run_coro_as_sync(
        areview_interrupt(value, task=task, store=store, policy=policy, schemas=schemas, context=context, turn=turn)
    )


def _read(value: dict[str, Any]) -> _Request:
    try:
        request = _Request.model_validate(value)
    except ValidationError as exc:
        raise ConfigError(
            "this is no interrupt of HumanInTheLoopMiddleware(interrupt_mode='batched'); pass its `value`: "
            f"{'; '.join(problems_of(exc))}"
        ) from None
    allowed = {one.action_name: set(one.allowed_decisions) for one in request.review_configs}
    for action in request.action_requests:
        if missing := sorted(_NEEDED - allowed.get(action.name, set())):
            raise ConfigError(
                f"the form lets a person approve, edit and reject, and tool {action.name!r} does not allow "
                f"{', '.join(missing)}: add it to its allowed_decisions"
            )
    return request


def _decision(action: _ActionRequest, outcome: Outcome[JsonValue]) -> dict[str, Any]:
    if outcome.decision == "approve":
        return {"type": "approve"}
    if outcome.decision == "edit":
        return {"type": "edit", "edited_action": {"name": action.name, "args": outcome.final_answer}}
    return {"type": "reject", "message": denial(outcome)}
