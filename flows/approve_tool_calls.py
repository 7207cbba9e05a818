"""An agent pays a refund: it looks the order up by itself, and a person approves the payment before it is made."""

from typing import Annotated

from prefect import flow, get_run_logger
from pydantic import Field
from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from hitl_prefect import Policy
from hitl_prefect.agents import run_agent

ANYBODY = Policy(deadline_s=24 * 3600, on_deadline="reject")
ORDERS = {"A-17": "a kettle, 39.90 EUR, delivered broken"}


def look_up(order: str) -> str:
    """What was ordered, and what became of it."""
    return ORDERS.get(order, "no such order")


def refund(order: str, euros: Annotated[float, Field(gt=0, le=500)], words: str = "") -> str:
    """Send money back to the customer."""
    get_run_logger().info("refund of order %s: %.2f EUR", order, euros)
    return f"refunded {euros:.2f} EUR for order {order}, with the words: {words}"


def offline(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Stands in for a model, so that the flow runs without a key: look up, refund, tell."""
    results = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    if not results:
        return ModelResponse(parts=[ToolCallPart("look_up", {"order": "A-17"})])
    if len(results) == 1:
        return ModelResponse(parts=[ToolCallPart("refund", {"order": "A-17", "euros": 39.9, "words": "Sorry!"})])
    return ModelResponse(parts=[TextPart(f"Done: {results[-1].content}")])


@flow(name="approve-tool-calls")
def handle_complaint(
    complaint: str = "The kettle of order A-17 arrived broken. I want my money back.",
    model: str | None = None,
    store: str = "outcomes",
    policy: Policy = ANYBODY,
) -> str:
    """Answer a complaint; money moves only after a person has approved it.

    Args:
        complaint: What the customer wrote.
        model: As Pydantic AI names it, such as `openai:gpt-5-mini`; without one a function stands in, without a key.
        store: `folder:` path, `s3://` URL, or the name of a saved store block.
        policy: Who approves, and until when.
    """
    agent = Agent(model or FunctionModel(offline), system_prompt="You handle complaints.")
    agent.tool_plain(look_up)
    agent.tool_plain(refund, requires_approval=True)
    return run_agent(agent, complaint, task="refunds", store=store, policy=policy).output


if __name__ == "__main__":
    handle_complaint.serve(name="approve-tool-calls")
