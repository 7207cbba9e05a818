"""How sure we are of a generation, from what it already holds; no further call."""

from collections.abc import Callable
from math import prod
from statistics import fmean

from hitl_prefect.errors import ConfigError
from hitl_prefect.hedging import hedges, hedging_confidence
from hitl_prefect.models import Case, Generation, Part, Score
from hitl_prefect.policy import Policy, ScorerName

__all__ = ["SCORERS", "score"]

Scorer = Callable[[Generation], Part]

_BEST_FIRST: tuple[ScorerName, ...] = ("probability", "logprob_decision", "logprob", "stated")
"""Where a policy names no scorer the first of these that has a confidence counts: a classifier's own probability,
then the token that decides the answer, then all tokens, then the model's word for it."""


def score(case: Case, generation: Generation, *, policy: Policy) -> Score:  # noqa: ARG001 - every step takes the case
    """Score a generation.

    Args:
        case: What was asked.
        generation: What came back.
        policy: Which scorers count and how they are combined.

    Returns:
        A score whose confidence is `None` where a scorer that counts has none, or the answer is not valid.
    """
    parts = {name: scorer(generation) for name, scorer in SCORERS.items()}
    counted = policy.scorers or _first_with_confidence(parts)
    together = _combine(policy, [parts[name].confidence for name in counted])
    return Score(
        confidence=together if generation.status == "ok" else None,
        combined=f"{policy.combine}({', '.join(counted)})",
        parts=tuple(parts.values()),
    )


def _first_with_confidence(parts: dict[ScorerName, Part]) -> tuple[ScorerName, ...]:
    return tuple(name for name in _BEST_FIRST if parts[name].confidence is not None)[:1]


_COMBINE: dict[str, Callable[[list[float]], float]] = {"min": min, "mean": fmean, "product": prod}


def _combine(policy: Policy, values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _COMBINE[policy.combine](known) if known and len(known) == len(values) else None


def _stated(generation: Generation) -> Part:
    missing = "" if generation.stated_confidence is not None else "the model stated none"
    return Part(name="stated", confidence=generation.stated_confidence, reason=missing)


def _logprob(name: str, field: str) -> Scorer:
    def scorer(generation: Generation) -> Part:
        found = getattr(generation.logprobs, field, None)
        return Part(name=name, confidence=found, reason="" if found is not None else "the model gives no such logprob")

    return scorer


def _probability(generation: Generation) -> Part:
    missing = "" if generation.probability is not None else "the model is no classifier"
    return Part(name="probability", confidence=generation.probability, reason=missing)


def _schema(generation: Generation) -> Part:
    return Part(name="schema", confidence=float(generation.status == "ok"), reason="; ".join(generation.problems))


def _hedging(generation: Generation) -> Part:
    return Part(
        name="hedging", confidence=hedging_confidence(generation.text), reason=", ".join(hedges(generation.text))[:200]
    )


SCORERS: dict[ScorerName, Scorer] = {
    "stated": _stated,
    "logprob": _logprob("logprob", "mean"),
    "logprob_min": _logprob("logprob_min", "minimum"),
    "logprob_decision": _logprob("logprob_decision", "decision"),
    "probability": _probability,
    "schema": _schema,
    "hedging": _hedging,
}
"""Every scorer by its name."""

_NEVER_GIVEN: dict[str, tuple[str, ...]] = {
    "openai": ("probability",),
    "anthropic": ("probability", "logprob", "logprob_min", "logprob_decision"),
    "embedded": ("stated", "logprob", "logprob_min", "logprob_decision"),
}


def check_scorers(policy: Policy, provider: str) -> None:
    """Refuse a policy that counts on what the provider never gives.

    A model of OpenAI may still give no token logprobs; then its cases go to review with the reason `no_score`.

    Raises:
        ConfigError: If a named scorer could only ever leave the score `None`.
    """
    missing = [name for name in policy.scorers if name in _NEVER_GIVEN.get(provider, ())]
    if missing:
        raise ConfigError(
            f"policy.scorers names {missing[0]!r}, which {provider} never gives, so every case would go to review; "
            "name another one, or leave scorers empty"
        )
