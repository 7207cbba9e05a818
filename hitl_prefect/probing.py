"""Measurements of the reviewing itself: which reviews begin with one, with which draft, and what came of it."""

import json
from typing import Literal

from pydantic import JsonValue

from hitl_prefect.answers import AnswerType, answer_type
from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.fields import differences, field_at
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import code_span
from hitl_prefect.mistakes import mistakes
from hitl_prefect.models import Case, Generation
from hitl_prefect.outcomes import Probe, Verdict
from hitl_prefect.policy import Policy

__all__ = ["Mistake", "exercise", "mistake_in", "mistaken", "probe_for"]

_ALL = 16**12


class Mistake(Frozen):
    """The one field of a seeded draft that was made wrong on purpose."""

    path: str
    """Dotted; empty where the answer is one value."""
    value: JsonValue
    """What stands there in the seeded draft."""

    def stands_in(self, answer: JsonValue) -> bool:
        """Whether an answer still says it."""
        try:
            return canonical_bytes(field_at(answer, self.path)) == canonical_bytes(self.value)
        except (KeyError, IndexError, TypeError, ValueError):
            return False

    def caught_by(self, verdict: Verdict) -> bool:
        """Whether the person let no answer ship that says it: rejected, asked again, handed over, or corrected it."""
        return verdict.decision not in ("approve", "edit") or not self.stands_in(verdict.answer)


def probe_for(case: Case, generation: Generation, policy: Policy) -> Literal["blind", "seeded"] | None:
    """The probe that the review of a draft begins with; the same for the same case, however often it is run."""
    if generation.attempt > 1 or generation.status != "ok":
        return None
    drawn = int(sha256_of(["probe", case.task, case.id])[:12], 16) / _ALL
    if drawn < policy.probes.blind:
        return "blind"
    seeded = drawn < policy.probes.blind + policy.probes.seeded
    return "seeded" if seeded and mistaken(case, generation) is not None else None


def mistaken(case: Case, generation: Generation) -> Generation | None:
    """The draft with one field made wrong on purpose: valid for the answer type, and the same for the same draft.

    That the field is wrong is only likely: the draft may have been wrong there itself. What people settle in the end
    tells.

    Returns:
        A draft with a sha256 of its own; `None` where nothing could be made wrong.
    """
    if generation.answer is None:
        return None
    reader = answer_type(case.answer)
    for wrong in mistakes(generation.answer, reader.json_schema, case.id):
        mistake = mistake_in(generation.answer, wrong)
        if mistake is not None and _keeps(reader, wrong, mistake):
            return Generation.model_validate({**dict(generation), "answer": wrong, "text": _text(wrong), "sha256": ""})
    return None


def mistake_in(draft: JsonValue, seeded: JsonValue) -> Mistake | None:
    """What was made wrong in a seeded draft; `None` where it does not differ in exactly one field."""
    match list(differences(draft, seeded)):
        case [one]:
            mistake = Mistake(path=one.path, value=one.after)
            return mistake if mistake.stands_in(seeded) and not mistake.stands_in(draft) else None
    return None


def exercise(probe: Probe, draft: JsonValue) -> str:
    """What to tell the person afterwards, as markdown without their name.

    Nothing that was said is repeated, and whether the draft itself is right stays open.
    """
    if probe.kind == "blind":
        return "the form before this one came without a draft, to measure reviewing. Only this one decides."
    mistake = mistake_in(draft, probe.draft)
    if mistake is None:
        return "the draft before this one was an exercise. Only this one decides."
    where = f"its field {code_span(mistake.path)}" if mistake.path else "it"
    then = "you did not let it pass" if mistake.caught_by(probe.verdict) else "you let it pass"
    return f"that was an exercise: {where} was made wrong on purpose; {then}. This is the model's own draft."


def _keeps(reader: AnswerType, wrong: JsonValue, mistake: Mistake) -> bool:
    """Whether the answer type takes the answer and leaves the mistake in it: a validator may mend what it reads."""
    try:
        return mistake.stands_in(reader.as_json(reader.from_json(wrong)))
    except ValueError:
        return False


def _text(answer: JsonValue) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
