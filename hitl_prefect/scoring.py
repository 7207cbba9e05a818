"""How sure are we of a draft? The scorers that a policy names, each beside the others, made one number."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from math import prod
from statistics import fmean

from hitl_prefect.abreast import abreast
from hitl_prefect.answers import answer_type
from hitl_prefect.combining import Combination
from hitl_prefect.errors import BudgetSpent, ConfigError, HitlError
from hitl_prefect.models import Case, Generation, Part, Score
from hitl_prefect.policy import Policy
from hitl_prefect.scorers import (
    ONLY_WHERE_NAMED,
    READING,
    SECOND,
    Agreement,
    Asker,
    Asking,
    ReadingName,
    SemanticEntropy,
)
from hitl_prefect.scorers.base import Sitting, name_of
from hitl_prefect.scorers.costs import BilledOnce

__all__ = ["PolicyScorer", "scores_as"]

_BEST_FIRST: tuple[ReadingName, ...] = ("probability", "logprob_decision", "logprob")
"""Where a policy names no scorer the first of these that has a confidence counts: a classifier's own probability,
then the token that decides the answer, then all tokens."""

_WITHOUT_LOGPROBS: tuple[ReadingName | Asking, ...] = ("stated", Agreement(model=SECOND))
"""What counts where there is none of them: what the model says of itself, and whether another provider agrees."""
_OF_FREE_TEXT: tuple[ReadingName | Asking, ...] = (
    "stated",
    SemanticEntropy(model=SECOND, samples=1, equivalence="model", grouped_by=SECOND),
)
"""The same for free text, where a model has to tell whether two answers agree."""


class PolicyScorer:
    """The `Scorer` that a policy describes; with one scorer in the policy it is that scorer.

    Args:
        policy: Which scorers count, and how they become one number.
        asker: Asks models on behalf of the scorers; not needed where the policy's scorers ask nobody.
        gives_logprobs: Whether the model that drafts may give token log probabilities; where it does not, a second
            opinion is asked for by default, and so beside the draft.
    """

    def __init__(self, policy: Policy, asker: Asker | None = None, *, gives_logprobs: bool = True) -> None:
        self._policy, self._asker, self._gives_logprobs = policy, asker, gives_logprobs

    async def ahead(self, case: Case) -> None:
        """Ask what will be asked whatever the draft says, so that it costs no time; a failure shows in `score`."""
        if (asker := self._asker) is None:
            return
        wanted = [one for scorer in self._named_ahead(case) for one in scorer.ahead(case, asker.request)]
        asked = (asker.ask(one.request, model=one.model, sample=one.sample) for one in wanted)
        await asyncio.gather(*asked, return_exceptions=True)

    @asynccontextmanager
    async def beside(self, case: Case | None) -> AsyncIterator[None]:
        """Ask ahead while the block drafts.

        What is still under way when it ends, or fails, is waited for: it is paid for, and an asker may record it. Where
        the block is cancelled nobody wants it any more, and it is cut off.

        Args:
            case: What is asked about; `None` where it is scored already, and nothing is to be asked ahead.
        """
        ahead = asyncio.ensure_future(self.ahead(case)) if case else None
        try:
            yield
        except asyncio.CancelledError:
            await self.aclose()
            raise
        finally:
            if ahead is not None:
                ahead.cancel()
            if self._asker is not None:
                await self._asker.settle()

    async def aclose(self) -> None:
        """Stop asking; what nobody waits for any more is not paid for."""
        if self._asker is not None:
            await self._asker.aclose()

    async def score(self, case: Case, generation: Generation) -> Score:
        """Score a draft.

        Returns:
            A score whose confidence is `None` where a scorer that counts has none, or the answer is not valid.
        """
        read = [reader(case, generation) for name, reader in READING.items() if self._reads(name)]
        if generation.status != "ok":
            return Score(confidence=None, combined="not scored", parts=tuple(read))
        fitted = self._fitted
        counted = self._policy.scorers if fitted else self._policy.scorers or self._defaults(case, read)
        asking = [one for one in counted if isinstance(one, Asking)]
        asker = BilledOnce(self._asker) if self._asker else None
        looks = [_look(one, Sitting(case, generation, asker) if asker else None) for one in asking]
        parts = [*read, *await abreast(looks)]
        if fitted:
            told = {name_of(one): self._with_second(one) for one in counted}
            return _as_fitted(fitted.part(case, generation, parts), parts, combination=fitted, told=told)
        return self._together(counted, parts)

    def _reads(self, name: ReadingName) -> bool:
        named = (*self._policy.scorers, *(self._fitted.names if self._fitted else ()))
        return name not in ONLY_WHERE_NAMED or name in named

    @property
    def _fitted(self) -> Combination | None:
        return self._policy.combine if isinstance(self._policy.combine, Combination) else None

    def _named_ahead(self, case: Case) -> list[Asking]:
        named: tuple[ReadingName | Asking, ...] = self._policy.scorers
        if not named and not self._fitted and not self._gives_logprobs:
            named = self._without_logprobs(case)
        return [one for one in named if isinstance(one, Asking)]

    def _defaults(self, case: Case, read: Sequence[Part]) -> tuple[ReadingName | Asking, ...]:
        known = {part.name for part in read if part.confidence is not None}
        if answer_type(case.answer).is_free_text:
            known.discard("logprob_decision")  # That would be the first word of the text.
        best = tuple(name for name in _BEST_FIRST if name in known)[:1]
        return best or self._without_logprobs(case)

    def _without_logprobs(self, case: Case) -> tuple[ReadingName | Asking, ...]:
        if self._asker is None or self._asker.second is None:
            return ("stated",)
        return _OF_FREE_TEXT if answer_type(case.answer).is_free_text else _WITHOUT_LOGPROBS

    def _together(self, counted: Sequence[ReadingName | Asking], parts: Sequence[Part]) -> Score:
        by_name = {part.name: part for part in parts}
        counting = [by_name[name_of(one)] for one in counted]
        how = str(self._policy.combine) if self._policy.scorers else "mean"
        return Score(
            confidence=_combine(how, [part.confidence for part in counting]),
            combined=_named(how, [self._with_second(one) for one in counted]),
            parts=tuple(parts),
            fields=_lowest_by_field(counting),
        )

    def _with_second(self, scorer: ReadingName | Asking) -> str:
        """A scorer with the second model that it asks: what is known of one holds for no other."""
        second = self._asker.second if self._asker else None
        asks = isinstance(scorer, Asking) and SECOND in scorer.models and second is not None
        return f"{name_of(scorer)}={second}" if asks else name_of(scorer)


def scores_as(policy: Policy, combined: str) -> bool:
    """Whether a policy may give scores of this name (`Score.combined`), whichever second model it asks.

    Without named scorers it takes what there is, and a score that a flow made itself.

    >>> scores_as(Policy(scorers=("stated", "logprob")), "min(stated, logprob)")
    True
    >>> scores_as(Policy(scorers=("stated", "logprob"), combine="mean"), "min(stated, logprob)")
    False
    """
    told = _SECOND_MODEL.sub("", combined)
    if isinstance(policy.combine, Combination):
        return told.startswith(f"combination-{policy.combine.version}(")
    if policy.scorers:
        return told == _named(policy.combine, [name_of(one) for one in policy.scorers])
    defaults = (_named("mean", [name_of(one) for one in some]) for some in (_WITHOUT_LOGPROBS, _OF_FREE_TEXT))
    return "," not in told or told in defaults


_SECOND_MODEL = re.compile(r"=[^,)]*")


def _named(how: str, names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{how}({', '.join(names)})"


async def _look(scorer: Asking, sitting: Sitting | None) -> Part:
    """One scorer's word; where it fails there is no confidence but a reason.

    Raises:
        BudgetSpent: If it may not ask any more.
    """
    try:
        if sitting is None:
            raise ConfigError("it asks a model, and nobody said which: pass `model` to `score`")
        return await scorer.look(sitting)
    except BudgetSpent:
        raise  # It stops the run; a score without this scorer would be bought by breaking the budget's promise.
    except HitlError as exc:
        # Some of its questions may have been answered, and paid for.
        return Part(name=scorer.name, confidence=None, reason=f"{type(exc).__name__}: {exc}", cost_usd=None)


def _as_fitted(fitted: Part, parts: Sequence[Part], *, combination: Combination, told: Mapping[str, str]) -> Score:
    names = [told.get(term.name, term.name) for term in combination.terms]
    return Score(
        confidence=fitted.confidence,
        combined=f"{fitted.name}-{combination.version}({', '.join(names)})",
        parts=(*parts, fitted),
        fields=_lowest_by_field([part for part in parts if part.name in combination.names]),
    )


_COMBINE: dict[str, Callable[[list[float]], float]] = {"min": min, "mean": fmean, "product": prod}


def _combine(how: str, values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _COMBINE[how](known) if known and len(known) == len(values) else None


def _lowest_by_field(parts: Sequence[Part]) -> dict[str, float]:
    names = dict.fromkeys(name for part in parts for name in part.fields)
    return {name: min(part.fields[name] for part in parts if name in part.fields) for name in names}
