"""The scorers that read what a draft already holds; they ask nobody and cost nothing."""

from collections.abc import Callable
from statistics import fmean
from typing import Literal

from hitl_prefect.answers import answer_type
from hitl_prefect.example_turns import without_examples
from hitl_prefect.grounding import Source, checked_by_field
from hitl_prefect.hedging import hedges, hedging_confidence
from hitl_prefect.models import Case, Generation, Part

__all__ = ["NEVER_GIVEN", "ONLY_WHERE_NAMED", "READING", "ReadingName"]

ReadingName = Literal[
    "stated",
    "logprob",
    "logprob_min",
    "logprob_decision",
    "logprob_fields",
    "probability",
    "schema",
    "grounding",
    "hedging",
]

Reader = Callable[[Case, Generation], Part]


def _stated(case: Case, generation: Generation) -> Part:  # noqa: ARG001 - every reader takes the case
    missing = "" if generation.stated_confidence is not None else "the model stated none"
    return Part(name="stated", confidence=generation.stated_confidence, reason=missing)


def _logprob(name: str, field: str) -> Reader:
    def reader(case: Case, generation: Generation) -> Part:  # noqa: ARG001
        found = getattr(generation.logprobs, field, None)
        return Part(name=name, confidence=found, reason="" if found is not None else "the model gives no such logprob")

    return reader


def _logprob_fields(case: Case, generation: Generation) -> Part:  # noqa: ARG001
    """The least sure field; a bare answer has no fields to tell apart."""
    found = generation.logprobs.fields if generation.logprobs else {}
    answer = generation.answer if isinstance(generation.answer, dict) else {}
    return Part(
        name="logprob_fields",
        confidence=min(found.values(), default=None),
        reason="" if found else "the model gives no logprobs of the answer's fields",
        fields={name: found[name] for name in answer if name in found},
    )


def _probability(case: Case, generation: Generation) -> Part:  # noqa: ARG001
    missing = "" if generation.probability is not None else "the model is no classifier"
    return Part(name="probability", confidence=generation.probability, reason=missing)


def _schema(case: Case, generation: Generation) -> Part:  # noqa: ARG001
    return Part(name="schema", confidence=float(generation.status == "ok"), reason="; ".join(generation.problems))


def _grounding(case: Case, generation: Generation) -> Part:
    """Share of what the answer names that stands in the prompt without examples, or in the reviewer's guidance."""
    pieces = [piece for message in without_examples(case.messages) for piece in message.pieces]
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) < len(pieces):
        return Part(name="grounding", confidence=None, reason="the case shows images, which are not read here")
    source = Source.of([*texts, generation.guidance or ""])
    found = checked_by_field(generation.answer, source, answer_type(case.answer).json_schema)
    checks = [check for field in found.values() for check in field]
    if not checks:
        return Part(name="grounding", confidence=None, reason="nothing to check")
    return Part(
        name="grounding",
        confidence=fmean(checks),
        reason=f"{sum(checks)} of {len(checks)} stand in the prompt",
        fields={name: fmean(field) for name, field in found.items()} if isinstance(generation.answer, dict) else {},
    )


def _hedging(case: Case, generation: Generation) -> Part:  # noqa: ARG001
    return Part(
        name="hedging", confidence=hedging_confidence(generation.text), reason=", ".join(hedges(generation.text))[:200]
    )


READING: dict[ReadingName, Reader] = {
    "stated": _stated,
    "logprob": _logprob("logprob", "mean"),
    "logprob_min": _logprob("logprob_min", "minimum"),
    "logprob_decision": _logprob("logprob_decision", "decision"),
    "logprob_fields": _logprob_fields,
    "probability": _probability,
    "schema": _schema,
    "grounding": _grounding,
    "hedging": _hedging,
}
"""Every reading scorer by its name."""

ONLY_WHERE_NAMED: frozenset[ReadingName] = frozenset({"grounding"})
"""Read only where the policy names them: a prompt of 100,000 characters takes 80 ms."""

_LOGPROBS: tuple[ReadingName, ...] = ("logprob", "logprob_min", "logprob_decision", "logprob_fields")

NEVER_GIVEN: dict[str, tuple[ReadingName, ...]] = {
    "openai": ("probability",),
    "anthropic": ("probability", *_LOGPROBS),
    "embedded": ("stated", *_LOGPROBS),
}
"""By provider what none of its models gives. A model of OpenAI may give no log probabilities either."""
