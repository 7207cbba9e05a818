"""Further samples of the draft's own question, asked in the same words by every scorer that wants some.

Equal questions are asked once: two scorers that each want five samples cost five, not ten.
"""

import asyncio
from collections.abc import Sequence

from hitl_prefect.answers import Reading, answer_type
from hitl_prefect.messages import conversation
from hitl_prefect.models import Case
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.scorers.base import Sitting, Wanted

__all__ = ["asked", "reading_of", "reworded", "samples"]


def samples(request: Request, *, model: str | None, count: int) -> tuple[Wanted, ...]:
    """The draft's question `count` times more."""
    plain = _plain(request)
    return tuple(Wanted(request=plain, model=model, sample=1 + number) for number in range(count))


def reworded(request: Request, case: Case, *, model: str | None) -> tuple[Wanted, ...]:
    """Each of the case's variants once."""
    plain = _plain(request)
    asked = (plain.model_copy(update={"messages": conversation(variant)}) for variant in case.variants)
    return tuple(Wanted(request=one, model=model) for one in asked)


def _plain(request: Request) -> Request:
    return request.model_copy(update={"logprobs": False, "ask_confidence": True})


async def asked(sitting: Sitting, wanted: Sequence[Wanted]) -> list[Reply]:
    """The replies, in order, asked side by side.

    Raises:
        ProviderError: If one of them could not be had.
    """
    asker = sitting.asker
    return await asyncio.gather(*(asker.ask(one.request, model=one.model, sample=one.sample) for one in wanted))


def reading_of(case: Case, reply: Reply) -> Reading:
    """The answer in a reply; what was refused or cut off has a problem, and no answer."""
    if reply.finish != "stop":
        return Reading(problems=(f"no whole reply: {reply.finish}",))
    return answer_type(case.answer).read(reply.text)
