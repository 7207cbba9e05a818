"""What of a case is kept when it is stored: prompts and personal data may stay out of the outcome.

It is decided before anything is stored and by the policy alone, so that the same decision still has the same bytes.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, JsonValue

from hitl_prefect.frozen import Frozen
from hitl_prefect.messages import Message
from hitl_prefect.models import Attempt, Generation, Score, named
from hitl_prefect.outcomes import Answer, CaseRecord, Outcome, Probe, RefusedAnswer, Review, Settlement, Verdict
from hitl_prefect.redaction import BUILT_IN, check_patterns, redact

__all__ = ["Retention", "retained"]


def _checked(patterns: tuple[str, ...]) -> tuple[str, ...]:
    check_patterns(patterns)
    return patterns


class Retention(Frozen):
    """What of a case is kept.

    >>> Retention(prompt="drop").redact
    ('email', 'iban', 'card', 'phone')
    """

    prompt: Literal["keep", "redact", "drop"] = "keep"
    """`keep`: all of it. `redact`: what `redact` finds is replaced in prompt, metadata and what people typed, and the
    model's own text and images are left out. `drop`: the same, and of the prompt only system messages are kept, which
    are the author's. Answers, the sha256 of prompt and draft, the requester, and the names of metadata are always
    kept."""
    redact: Annotated[tuple[str, ...], AfterValidator(_checked)] = tuple(BUILT_IN)
    """What is replaced: names of `hitl_prefect.redaction.BUILT_IN`, and regular expressions."""


def retained(outcome: Outcome[Answer], retention: Retention) -> Outcome[Answer]:
    """The outcome as it is stored: the same where all is kept."""
    if retention.prompt == "keep":
        return outcome
    return outcome.model_copy(
        update={
            "case": _case(outcome.case, retention),
            "generation": _generation(outcome.generation, retention),
            "score": _score(outcome.score, retention),
            "earlier": tuple(_attempt(one, retention) for one in outcome.earlier),
            "review": outcome.review and _review(outcome.review, retention),
        }
    )


def _case(case: CaseRecord, retention: Retention) -> CaseRecord:
    metadata = {
        name: redact(value, retention.redact) if isinstance(value, str) else value
        for name, value in case.metadata.items()
    }
    kept = (one for one in case.messages if one.role == "system" or retention.prompt == "redact")
    messages = tuple(one if one.role == "system" else _message(one, retention) for one in kept)
    return case.model_copy(update={"messages": messages, "metadata": metadata})


def _message(message: Message, retention: Retention) -> Message:
    """Of an image its size and sha256 are left."""
    pieces = (piece if isinstance(piece, str) else piece.describe() for piece in message.pieces)
    return Message(role=message.role, content="\n".join(redact(piece, retention.redact) for piece in pieces))


def _generation(generation: Generation, retention: Retention) -> Generation:
    """With its name in place of the model's own text: what was signed can still be checked."""
    guidance = generation.guidance and redact(generation.guidance, retention.redact)
    problems = tuple(redact(one, retention.redact) for one in generation.problems)
    return generation.model_copy(update={"text": named(generation.text), "guidance": guidance, "problems": problems})


def _attempt(attempt: Attempt, retention: Retention) -> Attempt:
    kept = {"generation": _generation(attempt.generation, retention), "score": _score(attempt.score, retention)}
    return attempt.model_copy(update=kept)


def _score(score: Score, retention: Retention) -> Score:
    parts = (one.model_copy(update={"reason": redact(one.reason, retention.redact)}) for one in score.parts)
    return score.model_copy(update={"parts": tuple(parts)})


def _review(review: Review, retention: Retention) -> Review:
    return review.model_copy(
        update={
            "verdicts": tuple(_verdict(one, retention) for one in review.verdicts),
            "refused_answers": tuple(_refused(one, retention) for one in review.refused_answers),
            "probes": tuple(_probe(one, retention) for one in review.probes),
            "settled": _settled(review.settled, retention),
        }
    )


def _verdict(verdict: Verdict, retention: Retention) -> Verdict:
    """What was signed stays as it was, or nobody could check the signature."""
    if verdict.signature is not None:
        return verdict
    typed = {name: redact(getattr(verdict, name), retention.redact) for name in ("guidance", "reason")}
    return verdict.model_copy(update=typed)


def _probe(probe: Probe, retention: Retention) -> Probe:
    return probe.model_copy(update={"verdict": _verdict(probe.verdict, retention)})


def _settled(settled: Settlement, retention: Retention) -> Settlement:
    return settled.model_copy(update={"guidance": redact(settled.guidance, retention.redact)})


def _refused(refused: RefusedAnswer, retention: Retention) -> RefusedAnswer:
    errors = tuple(redact(one, retention.redact) for one in refused.errors)
    return refused.model_copy(update={"errors": errors, "typed": _everywhere(refused.typed, retention)})


def _everywhere(value: JsonValue, retention: Retention) -> JsonValue:
    if isinstance(value, str):
        return redact(value, retention.redact)
    if isinstance(value, list):
        return [_everywhere(one, retention) for one in value]
    if isinstance(value, dict):
        return {name: _everywhere(one, retention) for name, one in value.items()}
    return value
