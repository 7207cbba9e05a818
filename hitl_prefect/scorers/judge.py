"""Judges: other models say whether the draft is right.

Source: Zheng et al. (2023), Judging LLM-as-a-Judge, arXiv 2306.05685 (judges prefer an option for its place, hence
both orders, and their own family, hence a second provider); Verga et al. (2024), Replacing Judges with Juries,
arXiv 2404.18796 (a panel of small models of several families beats one large judge).
"""

import asyncio
import re
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from pydantic import Field

from hitl_prefect.answers import answer_type
from hitl_prefect.errors import ProviderError
from hitl_prefect.frozen import Frozen
from hitl_prefect.logprobs import deciding, spelling
from hitl_prefect.models import Part
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.scorers.base import SECOND, Asking, Sitting
from hitl_prefect.scorers.costs import together
from hitl_prefect.scorers.odds import odds
from hitl_prefect.scorers.quoting import about_draft

__all__ = ["Judge"]

_ASK = (
    "Judge the proposed answer, which you did not write. Work the question out for yourself; then give your verdict on "
    "the proposed answer, {first} or {second}. As the confidence, state how sure you are of your verdict."
)


class CorrectFirst(Frozen):
    """What a judge is asked to fill in."""

    verdict: Literal["correct", "incorrect"]


class IncorrectFirst(Frozen):
    """What a judge is asked to fill in, the options in the other order."""

    verdict: Literal["incorrect", "correct"]


@dataclass(frozen=True)
class _Said:
    judge: str
    probability: float | None
    """That the draft is correct; `None` where the judge did not tell."""
    why: str
    cost_usd: float | None

    @property
    def shown(self) -> str:
        told = self.why if self.probability is None else f"{self.probability:.2f} ({self.why})"
        return f"{self.judge}: {told}"


class Judge(Asking):
    """Probability that the draft is correct, as one judge or the mean of a panel says.

    From the odds of the two verdicts where a judge gives token log probabilities, else from the confidence that it
    states. A judge that fails, declines or answers something else leaves no confidence: the others do not decide alone.
    """

    kind: Literal["judge"] = "judge"
    models: tuple[str, ...] = Field(default=(SECOND,), min_length=1, max_length=10)
    """The judges: `provider:name`, blocks, or `second`."""
    swap: bool = True
    """Ask each judge twice, with the options in both orders, and take the mean."""

    @property
    def name(self) -> str:
        """Such as `judge:second`; the judges of a panel with `+` between them."""
        return f"judge:{'+'.join(self.models)}"

    async def look(self, sitting: Sitting) -> Part:
        """Ask every judge, side by side."""
        orders = (CorrectFirst, IncorrectFirst)[: 1 + self.swap]
        heard = await asyncio.gather(*(_hear(sitting, judge, orders) for judge in self.models))
        probabilities = [one.probability for one in heard if one.probability is not None]
        return Part(
            name=self.name,
            confidence=fmean(probabilities) if len(probabilities) == len(heard) else None,
            reason="; ".join(one.shown for one in heard),
            cost_usd=together(one.cost_usd for one in heard),
        )


async def _hear(sitting: Sitting, judge: str, orders: tuple[type[CorrectFirst | IncorrectFirst], ...]) -> _Said:
    """One judge's word: the mean over the orders of the options."""
    try:
        asked = (sitting.asker.ask(_request(sitting, order), model=judge) for order in orders)
        replies = await asyncio.gather(*asked)
    except ProviderError as exc:
        return _Said(judge, None, f"{type(exc).__name__}: {exc}", None)
    cost_usd = together(reply.cost_usd for reply in replies)
    verdicts = [_verdict(reply, order) for reply, order in zip(replies, orders, strict=True)]
    told = [one for one in verdicts if one is not None]
    if len(told) < len(verdicts):
        return _Said(judge, None, "gave no verdict with a probability", cost_usd)
    return _Said(judge, fmean(told), ", ".join(f"{one:.2f}" for one in told), cost_usd)


def _request(sitting: Sitting, order: type[CorrectFirst | IncorrectFirst]) -> Request:
    first, second = ("correct", "incorrect") if order is CorrectFirst else ("incorrect", "correct")
    ask = _ASK.format(first=first, second=second)
    return Request(messages=about_draft(sitting, ask), answer=order, logprobs=True, top_logprobs=20)


def _verdict(reply: Reply, order: type[CorrectFirst | IncorrectFirst]) -> float | None:
    """The probability of "correct": by the tokens, else by the stated confidence; `None` where neither tells it."""
    reading = answer_type(order).read(reply.text)
    if reply.finish != "stop" or not isinstance(reading.answer, dict):
        return None
    token = deciding(spelling(reply.tokens, reply.text), "verdict")
    by_tokens = odds(token, _says_correct) if token else None
    if by_tokens is not None or reading.stated_confidence is None:
        return by_tokens
    return reading.stated_confidence if reading.answer["verdict"] == "correct" else 1 - reading.stated_confidence


def _says_correct(token: str) -> bool | None:
    """Whether a token begins the word correct, or the word incorrect.

    >>> [_says_correct(token) for token in ('"corr', 'incorrect"', "in", "maybe", '"')]
    [True, False, False, None, None]
    """
    word = re.search(r"[^\W\d_]+", token.casefold())
    if word is None:
        return None
    for option, said in (("correct", True), ("incorrect", False)):
        if option.startswith(word.group()):
            return said
    return None
