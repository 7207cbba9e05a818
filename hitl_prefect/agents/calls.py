"""One tool call as a case: shown to people with its arguments as the draft, decided, stored."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from prefect.runtime import flow_run
from pydantic import JsonValue

from hitl_prefect.answers import answer_type, problems_of
from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.concluding import conclude
from hitl_prefect.configured import policy_of
from hitl_prefect.desk import check_place, one_case_at_a_time
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.journal import Journal, open_journal
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.opening import Opened, check_review, make_case, open_case
from hitl_prefect.outcomes import Outcome
from hitl_prefect.policy import Policy
from hitl_prefect.reviewing import areview
from hitl_prefect.storing import asave_outcome

__all__ = ["Desk", "KnownTool", "ToolCall", "approval_policy", "decide", "denial"]


class ToolCall(Frozen):
    """A tool that an agent wants to call."""

    id: str
    """As the model named the call."""
    tool: str
    arguments: dict[str, JsonValue]
    context: str = ""
    """What the agent was asked to do, for the person."""
    model: str = "agent:unknown"
    """`provider:name` of whoever wants to call it."""

    @property
    def sha256(self) -> str:
        """Names the call and its exact arguments."""
        return sha256_of([self.id, self.tool, self.arguments])


class KnownTool(NamedTuple):
    """What is known of a tool beside its name."""

    arguments: Any = dict[str, JsonValue]
    """The type of its arguments: what the form shows, and what an edit is checked against."""
    description: str = ""
    """What it does, for the person."""


class Desk(Frozen):
    """Where the calls of one agent are reviewed."""

    task: str
    store: str
    policy: Policy


async def approval_policy(policy: Policy | str) -> Policy:
    """The policy itself, once it is clear that approvals can honour it here.

    Raises:
        ConfigError: If it would let a call through that nobody approved, or counts costs that are not ours.
    """
    check_place()
    chosen = await policy_of(policy)
    if chosen.review == "never":
        raise ConfigError("the tool asks for approval, and review='never' would ask nobody: let the tool not ask")
    if chosen.on_deadline == "fallback":
        raise ConfigError("a tool call that nobody approved is not made: on_deadline is 'hold', 'reject' or 'escalate'")
    if chosen.max_cost_usd is not None:
        raise ConfigError("max_cost_usd does not count what an agent's own model costs: limit the agent itself")
    return chosen


async def decide(call: ToolCall, desk: Desk, tool: KnownTool) -> Outcome[JsonValue]:
    """What people decided about a call; the flow run waits for them.

    The case is named by the exact arguments: other arguments are another case, which nobody has approved.

    Args:
        call: What the agent wants to do.
        desk: Where it is reviewed.
        tool: What is known of the tool.

    Raises:
        ConfigError: If something that the review will need is missing.
        StoreError: If the outcome could not be stored; the decision is not lost, a retry finishes.
    """
    case = _case(call, desk, tool)
    await check_review(case, desk.policy, store=desk.store)
    opening = Opened(case=case, policy=desk.policy, model=call.model, draft=_draft(call, case))
    async with open_journal(case) as journal:
        if journal is None:
            raise ConfigError("a tool call is reviewed in a flow run: call it in the body of a function with @flow")
        async with one_case_at_a_time(journal.flow_run_id):
            opened = await open_case(journal, opening)
            outcome = journal.read("outcome", Outcome[JsonValue]) or await _ask(journal, opened)
            await asave_outcome(outcome, store=desk.store)
    return outcome


def denial(outcome: Outcome[JsonValue]) -> str:
    """What the model is told of a call that was rejected: the reviewers' own words, where they gave any."""
    if outcome.decided_by == "deadline":
        return "Nobody approved this tool call in time. It was not made."
    verdicts = outcome.review.verdicts if outcome.review else ()
    reasons = [one.reason for one in verdicts if one.decision == "reject" and one.reason]
    return "\n".join(reasons) or "A reviewer rejected this tool call. It was not made."


def _case(call: ToolCall, desk: Desk, tool: KnownTool) -> Case:
    asked = (Message(role="user", content=call.context),) if call.context else ()
    wants = "\n\n".join(part for part in (f"wants to call the tool {call.tool}", tool.description) if part)
    return make_case(
        (*asked, Message(role="assistant", content=wants)),
        task=desk.task,
        case_id=f"{flow_run.id}.{call.sha256[:16]}",
        answer=tool.arguments,
        metadata={"tool": call.tool, "tool call": call.id},
    )


def _draft(call: ToolCall, case: Case) -> Generation:
    provider, _, model = call.model.partition(":")
    problems: tuple[str, ...] = ()
    try:
        answer_type(case.answer).from_json(call.arguments)
    except ValueError as exc:
        problems = problems_of(exc)
    return Generation(
        answer=None if problems else call.arguments,
        text=canonical_bytes(call.arguments).decode(),
        status="invalid" if problems else "ok",
        problems=problems,
        model=model,
        provider=provider,
        prompt_sha256=case.prompt_sha256,
        created_at=datetime.now(UTC),
    )


async def _ask(journal: Journal, opened: Opened) -> Outcome[JsonValue]:
    case, policy, draft = opened.case, opened.policy, opened.draft
    if draft is None:
        raise ConfigError(f"case {case.id!r} was opened without a tool call; give the agent another task name")
    score = Score(confidence=None, combined="none: a tool call that asks for approval")
    why = f"the tool {case.metadata['tool']} needs approval"
    route = Route(action="review", reason="rule", detail=why, propensity=1, policy_version=policy.version)
    # Another attempt is the agent's own to make, after a rejection that says why.
    review = await areview(case, draft, score, route, policy=policy.model_copy(update={"max_attempts": 1}))
    return await journal.record("outcome", conclude(case, draft, score, route, review, policy=policy))
