"""From a provider's reply to a generation: one place judges what came back."""

from datetime import UTC, datetime
from time import perf_counter
from typing import Literal

from hitl_prefect.answers import AnswerType, Reading, answer_type
from hitl_prefect.logprobs import spelling, summarise
from hitl_prefect.messages import Message
from hitl_prefect.models import Case, Generation
from hitl_prefect.prices import cost_usd
from hitl_prefect.protocols import OnText, Provider, Reply, Request

__all__ = ["ask", "generation_of", "request_for"]


def request_for(case: Case, *, guidance: str | None = None, earlier: Generation | None = None) -> Request:
    """What the provider is asked; a further attempt shows the earlier draft and the reviewer's words."""
    messages = case.messages
    if guidance is not None and earlier is not None:
        messages = (
            *messages,
            Message(role="assistant", content=earlier.text or "(no answer)"),
            Message(role="user", content=f"A reviewer asks for another attempt:\n{guidance}"),
        )
    return Request(messages=messages, answer=case.answer)


async def ask(
    provider: Provider,
    case: Case,
    *,
    guidance: str | None = None,
    earlier: Generation | None = None,
    on_text: OnText | None = None,
) -> Generation:
    """Ask the provider once and judge its reply.

    A refusal, a cut-off reply or an answer that does not validate is a generation with that status, not an error.

    Raises:
        ProviderError: If there was no reply.
    """
    request = request_for(case, guidance=guidance, earlier=earlier)
    started = perf_counter()
    reply = await provider.generate(request, on_text=on_text)
    if reply.latency_s is None:
        reply = reply.model_copy(update={"latency_s": round(perf_counter() - started, 6)})
    return generation_of(reply, case, provider=provider.name, guidance=guidance, earlier=earlier)


def generation_of(
    reply: Reply,
    case: Case,
    *,
    provider: str,
    guidance: str | None = None,
    earlier: Generation | None = None,
    batch: bool = False,
) -> Generation:
    """Judge a reply, whichever way it came.

    Args:
        reply: What came back.
        case: What was asked.
        provider: The provider's name.
        guidance: What the reviewer asked for, where this is a further attempt.
        earlier: The attempt before.
        batch: Whether it came from a batch, at the batch price.
    """
    answer = answer_type(case.answer)
    text = reply.text.encode("utf-8", "replace").decode()
    status, reading = _judge(answer, reply, text)
    return Generation(
        answer=reading.answer,
        text=text,
        status=status,
        problems=reading.problems,
        model=reply.model,
        provider=provider,
        prompt_sha256=case.prompt_sha256,
        attempt=earlier.attempt + 1 if earlier else 1,
        guidance=guidance,
        stated_confidence=reading.stated_confidence,
        probability=reply.probability,
        logprobs=summarise(spelling(reply.tokens, text), skip=frozenset({answer.confidence_field})),
        usage=reply.usage,
        cost_usd=cost_usd(provider, reply.model, reply.usage, batch=batch),
        latency_s=reply.latency_s,
        request_id=reply.request_id,
        created_at=datetime.now(UTC),
    )


def _judge(
    answer: AnswerType, reply: Reply, text: str
) -> tuple[Literal["ok", "invalid", "refused", "truncated"], Reading]:
    if reply.finish == "refusal":
        return "refused", Reading(problems=("the model declined to answer",))
    if reply.finish == "length":
        return "truncated", Reading(problems=("the reply was cut off by a token limit",))
    reading = answer.read(text)
    return ("invalid" if reading.problems else "ok"), reading
