"""Agents whose tool calls are approved: what a model would do is a function, what a tool does is counted."""

import asyncio
from datetime import date
from typing import Any

from prefect import flow
from pydantic import BaseModel, Field
from pydantic_ai import Agent, DeferredToolRequests, ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from hitl_prefect import Policy
from hitl_prefect.agents import review_interrupt, review_tool_calls, run_agent

asked: list[list[ModelMessage]] = []
"""What the model was asked, in order."""
done: list[tuple[Any, ...]] = []
"""What the tools did, in order."""
wanted: list[ToolCallPart] = []
"""What the model calls in its first turn."""
PAY = ToolCallPart("pay", {"payment": {"to": "ACME", "amount": 12.5, "on": None}, "note": "bill 7"}, "call_Pay/1")
LOOK = ToolCallPart("balance", {"account": "main"}, "call_Look/1")
later: list[ToolCallPart] = []
"""What it calls in the turns after that, one in each."""
failing: list[Exception] = []
"""What the model fails with once it has seen a result, in order."""
resumed: list[dict[str, Any]] = []
"""What an interrupted agent is resumed with."""


class Payment(BaseModel):
    to: str
    amount: float = Field(gt=0)
    on: date | None = None


def _say(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Call what is wanted, then tell what came back."""
    asked.append(list(messages))
    parts = [
        part for message in messages for part in message.parts if part.part_kind in ("tool-return", "retry-prompt")
    ]
    if not parts:
        return ModelResponse(parts=list(wanted))
    if later:
        return ModelResponse(parts=[later.pop(0)])
    if failing:
        raise failing.pop(0)
    return ModelResponse(parts=[TextPart("; ".join(str(part.content) for part in parts))])


agent = Agent(FunctionModel(_say, model_name="clerk"), system_prompt="You are a clerk.")


@agent.tool_plain(requires_approval=True)
def pay(payment: Payment, note: str = "") -> str:
    """Send money.

    Args:
        payment: To whom, how much, when.
        note: What the bank shows.
    """
    done.append(("pay", payment.to, payment.amount, note))
    return f"paid {payment.amount} to {payment.to}"


@agent.tool_plain
def balance(account: str) -> float:
    """What is left."""
    done.append(("balance", account))
    return 100.0


@flow
def pay_bill(prompt: str, store: str, policy: Policy) -> str:
    return run_agent(agent, prompt, task="payments", policy=policy, store=store).output


@flow
def twice(prompt: str, store: str, policy: Policy) -> None:
    run_agent(agent, prompt, task="payments", policy=policy, store=store)
    run_agent(agent, prompt, task="payments", policy=policy, store=store)


@flow
def by_hand(prompt: str, store: str, policy: Policy) -> str:
    """A flow that runs its agent itself, and asks the model again each time that it runs."""
    first = asyncio.run(agent.run(prompt, output_type=[str, DeferredToolRequests]))
    assert isinstance(first.output, DeferredToolRequests)
    said = review_tool_calls(
        first.output, task="payments", policy=policy, store=store, tools=[pay], context=prompt, model="test:clerk"
    )
    return asyncio.run(agent.run(message_history=first.all_messages(), deferred_tool_results=said)).output


@flow
def interrupted(value: dict[str, Any], store: str, policy: Policy) -> None:
    """What a LangGraph agent would be resumed with."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    resumed.append(review_interrupt(value, task="files", policy=policy, store=store, schemas={"remove": schema}))


def another(call: ToolCallPart, name: str, *, amount: float) -> ToolCallPart:
    """The same call under another name, about another amount."""
    arguments = call.args_as_dict()
    return ToolCallPart(call.tool_name, {**arguments, "payment": {**arguments["payment"], "amount": amount}}, name)
