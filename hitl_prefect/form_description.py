"""What a reviewer reads above the form: why they are asked, how sure the model was, the prompt and the draft."""

import json
from datetime import datetime

from pydantic import JsonValue

from hitl_prefect.briefs import Brief
from hitl_prefect.inert import code_span, cut, fence, folded
from hitl_prefect.models import Case, Generation, Part, Route, RouteReason, Score, utc

__all__ = ["describe", "reason_in_words"]

_WHY: dict[RouteReason, str] = {
    "above_bar": "The confidence is at or above the bar.",
    "below_bar": "The confidence is below the bar.",
    "audit": "Drawn at random, so that the model's own errors are seen.",
    "rule": "A rule of the policy asks for a person.",
    "cold_start": "There is no bar yet for this kind of case: a person sees every one.",
    "no_score": "Nobody could tell how sure the model is.",
    "invalid": "The model's answer does not fit the answer type.",
    "refused": "The model declined to answer.",
    "truncated": "The model's answer was cut off.",
    "drift": "The bar's evidence no longer matches the model or the prompt.",
}


def reason_in_words(reason: str) -> str:
    """Why a person is asked, as a sentence; a reason of another version as it stands, in code."""
    return next((words for known, words in _WHY.items() if known == reason), code_span(reason))


def describe(brief: Brief) -> str:
    """The form's description, as markdown in which nothing but our own words is live."""
    parts = [
        _refusal(brief.errors, brief.typed),
        "This case was escalated to you." if brief.ask.role == "escalated" else "",
        _why(brief.score, brief.route) if brief.shows_draft else "",
        _prompt(brief.case),
        _draft(brief.generation) if brief.shows_draft else "",
        _facts(brief.case, brief.generation, brief.deadline_at),
    ]
    return "\n\n".join(part for part in parts if part)


def _refusal(errors: tuple[str, ...], typed: JsonValue) -> str:
    if not errors:
        return ""
    said = "\n".join(f"- {code_span(error)}" for error in errors)
    was = f"\n\nWhat was typed:\n\n{_shown(_pretty(typed))}" if typed is not None else ""
    return f"**The last answer did not apply, so you are asked again:**\n\n{said}{was}"


def _why(score: Score, route: Route) -> str:
    detail = f" {code_span(route.detail)}" if route.detail else ""
    known = {part.name: part.confidence for part in score.parts if part.confidence is not None}
    known |= {f"field {name}": value for name, value in score.fields.items()}
    parts = " ".join(code_span(f"{name} {value:.2f}") for name, value in known.items())
    said = [f"**Why a person is asked:** {_WHY[route.reason]}{detail}", f"Scores: {parts or 'none'}"]
    return "\n\n".join([*said, *(_made_of(part) for part in score.parts if part.log_odds)])


def _made_of(part: Part) -> str:
    added = " ".join(code_span(f"{name} {value:+.2f}") for name, value in part.log_odds.items())
    return f"{code_span(part.name)} in log-odds, 0 being even, against the average case: {added}"


def _prompt(case: Case) -> str:
    turns = [f"{code_span(message.role)}\n\n{_shown(message.text)}" for message in case.messages]
    shown = turns if len(turns) > 1 else [_shown(case.messages[0].text)] if turns else []
    return "\n\n".join(["### Prompt", *shown])


def _draft(generation: Generation) -> str:
    if isinstance(generation.answer, dict):
        # The fields of the form below show the same; the whole draft is one click away.
        return f"<details>\n<summary>The whole draft</summary>\n\n{_shown(_pretty(generation.answer))}\n\n</details>"
    problems = "\n".join(f"- {code_span(problem)}" for problem in generation.problems)
    draft = _shown(generation.text if generation.answer is None else _pretty(generation.answer))
    return "\n\n".join(part for part in ("### Draft", problems, draft) if part)


def _facts(case: Case, generation: Generation, deadline_at: datetime | None) -> str:
    facts: dict[str, str] = {
        "Case": case.id,
        "Task": case.task,
        "Attempt": str(generation.attempt),
        "Model": f"{generation.provider}:{generation.model}",
        "Draft sha256": generation.sha256,
        **{f"{key}": str(value) for key, value in case.metadata.items()},
    }
    if deadline_at is not None:
        facts["Answer before"] = utc(deadline_at)
    return " ".join(code_span(f"{name}: {value}") for name, value in facts.items())


def _shown(text: str) -> str:
    return fence(folded(cut(text)))


def _pretty(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
