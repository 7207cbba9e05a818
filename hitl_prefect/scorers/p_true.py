"""P(True): the model is shown the proposed answer, and how likely its next word is "True" is the confidence.

Source: Kadavath et al. (2022), Language Models (Mostly) Know What They Know, arXiv 2207.05221, section 3; there with
the options (A) True and (B) False, here with the words themselves, whose tokens need no legend.
"""

from typing import ClassVar, Literal

from hitl_prefect.models import Part
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.scorers.base import Asking, Sitting
from hitl_prefect.scorers.odds import odds
from hitl_prefect.scorers.quoting import about_draft

__all__ = ["PTrue"]

_ASK = "Is the proposed answer right? Write one word, True or False."


class PTrue(Asking):
    """Odds of "True" against "False" when a model is asked whether the draft is right.

    Needs a model that gives token log probabilities: OpenAI's, where it does not reason first. Raw odds lean towards
    "True" for the model's own drafts, so calibrate them before trusting a bar.
    """

    needs_logprobs: ClassVar[bool] = True

    kind: Literal["p_true"] = "p_true"
    model: str | None = None
    """Who is asked: `provider:name`, a block, `second`; `None` is the model that drafted."""

    @property
    def name(self) -> str:
        """Such as `p_true`, `p_true:second`."""
        return f"p_true:{self.model}" if self.model else "p_true"

    @property
    def models(self) -> tuple[str | None, ...]:
        """The one model that is asked."""
        return (self.model,)

    async def look(self, sitting: Sitting) -> Part:
        """Ask once, and read the odds.

        Raises:
            ProviderError: If there was no reply.
        """
        request = Request(
            messages=about_draft(sitting, _ASK),
            answer=str,
            structured=False,
            ask_confidence=False,
            max_tokens=16,
            logprobs=True,
            top_logprobs=20,
        )
        reply = await sitting.asker.ask(request, model=self.model)
        confidence = _odds_of_true(reply)
        reason = "" if confidence is not None else _why_none(reply)
        return Part(name=self.name, confidence=confidence, reason=reason, cost_usd=reply.cost_usd)


def _odds_of_true(reply: Reply) -> float | None:
    """The odds at the first word, where it is either; also in a reply that ends at the token limit."""
    if reply.finish == "refusal":
        return None
    # Not at a later one: "Not True" and "Un", "true" hold it too.
    first = next((token for token in reply.tokens if token.text.strip()), None)
    return odds(first, _says_true) if first else None


def _says_true(token: str) -> bool | None:
    """Whether a token is the word True or the word False.

    >>> [_says_true(token) for token in (" TRUE", "false", "Maybe")]
    [True, False, None]
    """
    return {"true": True, "false": False}.get(token.strip().casefold())


def _why_none(reply: Reply) -> str:
    if reply.finish == "refusal":
        return f"{reply.model} declined to say whether the answer is right"
    if not reply.tokens:
        return f"{reply.model} gives no token log probabilities; ask another model, or use `judge`"
    return f"{reply.model} began with neither True nor False"
