"""What a reviewer reads above the form: why they are asked, how sure the model was, the prompt and the draft."""

import json
from datetime import datetime

from pydantic import JsonValue

from hitl_prefect.audits import is_veiled, told_reason
from hitl_prefect.briefs import Brief
from hitl_prefect.diffing import changes
from hitl_prefect.example_turns import without_examples
from hitl_prefect.inert import code_span, cut, fence, folded
from hitl_prefect.models import Case, Generation, Part, Score, utc
from hitl_prefect.outcomes import Probe
from hitl_prefect.panel import Ask
from hitl_prefect.probing import exercise
from hitl_prefect.reasons import reason_in_words
from hitl_prefect.told import told

__all__ = ["describe"]

_NAMED = 20
"""Cases of a group that are named."""
_BLIND = (
    "**This one comes without a draft, to measure reviewing:** say what you find the right answer to be. It does not "
    "ship. Afterwards the case is asked about with its draft, and only that decides."
)


def describe(brief: Brief) -> str:
    """The form's description, as markdown in which nothing but our own words is live."""
    parts = [
        _signing(brief) if brief.policy.require_signature else "",
        _refusal(brief),
        _group(brief),
        _progress(brief.ask),
        told(brief),
        "" if brief.shows_draft else _BLIND,
        _exercise(brief.probe, brief.generation.answer),
        _why(brief) if brief.shows_draft else "",
        _prompt(brief.case),
        _since_then(brief.generation, brief.earlier) if brief.shows_draft else "",
        _draft(brief.generation) if brief.shows_draft else "",
        _facts(brief.case, brief.generation, brief.deadline_at),
    ]
    return "\n\n".join(part for part in parts if part)


def _signing(brief: Brief) -> str:
    how = f"hitl answer {brief.round_id.partition('/')[0] or 'RUN'} --decision ..."
    return (
        f"**Verdicts on this task are signed.** Answer in a terminal, with {code_span(how)}: the browser cannot "
        "sign, and what is sent without a signature is recorded, does not count, and is asked again."
    )


def _exercise(probe: Probe | None, draft: JsonValue) -> str:
    """What the form before this one was: said to whom it concerns, by the name that they typed there."""
    if probe is None:
        return ""
    who = code_span(probe.verdict.reviewer) if probe.verdict.reviewer else "Whoever answered the form before"
    return f"{who}: {exercise(probe, draft)}"


def _refusal(brief: Brief) -> str:
    if not brief.errors:
        return ""
    said = "\n".join(f"- {code_span(error)}" for error in brief.errors)
    return f"**The last answer did not apply, so you are asked again:**\n\n{said}{_typed(brief)}"


def _typed(brief: Brief) -> str:
    if brief.typed is None:
        return ""
    if brief.shown_again is None:
        return "\n\nWhat was typed is kept, and not shown: others answer too, without seeing it."
    return f"\n\nWhat was typed:\n\n{_shown(_pretty(brief.shown_again))}"


def _group(brief: Brief) -> str:
    """That more than this case hangs on the answer; the first cases by name."""
    count = len(brief.group)
    if not count:
        return ""
    named = " ".join(map(code_span, brief.group[:_NAMED]))
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    return (
        f"**Your answer decides {count} cases at once,** whose drafts say the same: {named}{more}. The prompt below is "
        f"that of case {code_span(brief.case.id)}."
    )


def _progress(ask: Ask) -> str:
    if ask.needed == 1:
        return ""
    return f"**{ask.answered} of {ask.needed} have answered.** Nobody sees what the others say before all have."


def _why(brief: Brief) -> str:
    why = f"**Why a person is asked:** {reason_in_words(told_reason(brief.route, brief.policy))}"
    if is_veiled(brief.route, brief.policy):
        return why
    detail = f" {code_span(brief.route.detail)}" if brief.route.detail else ""
    return "\n\n".join([f"{why}{detail}", *_scores(brief.score)])


def _scores(score: Score) -> list[str]:
    known = {part.name: part.confidence for part in score.parts if part.confidence is not None}
    known |= {f"field {name}": value for name, value in score.fields.items()}
    parts = " ".join(code_span(f"{name} {value:.2f}") for name, value in known.items())
    return [f"Scores: {parts or 'none'}", *(_made_of(part) for part in score.parts if part.log_odds)]


def _made_of(part: Part) -> str:
    added = " ".join(code_span(f"{name} {value:+.2f}") for name, value in part.log_odds.items())
    return f"{code_span(part.name)} in log-odds, 0 being even, against the average case: {added}"


def _prompt(case: Case) -> str:
    """The prompt; few-shot examples are for the model."""
    messages = without_examples(case.messages)
    turns = [f"{code_span(message.role)}\n\n{_shown(message.text)}" for message in messages]
    shown = turns if len(turns) > 1 else [_shown(messages[0].text)] if turns else []
    return "\n\n".join(["### Prompt", *shown])


def _since_then(generation: Generation, earlier: Generation | None) -> str:
    """What the reviewer asked for, and what became of it."""
    if earlier is None:
        return ""
    guidance = f"The guidance that was given:\n\n{_shown(generation.guidance)}" if generation.guidance else ""
    return "\n\n".join(
        part for part in ("### Since the attempt before", guidance, _changed(generation, earlier)) if part
    )


def _changed(generation: Generation, earlier: Generation) -> str:
    if earlier.status != "ok" or generation.status != "ok":
        without = earlier if earlier.status != "ok" else generation
        problems = "\n".join(f"- {code_span(problem)}" for problem in without.problems)
        return f"Attempt {without.attempt} has no answer to compare with:\n\n{problems}"
    changed = changes(earlier.answer, generation.answer)
    if not changed:
        return f"**Nothing changed:** the draft says the same as attempt {earlier.attempt}."
    return f"What changed since attempt {earlier.attempt}, `-` before and `+` now:\n\n{fence(cut(changed))}"


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
        "Draft": generation.sha256[:12],
        **{f"{key}": str(value) for key, value in case.metadata.items()},
    }
    if deadline_at is not None:
        facts["Answer before"] = utc(deadline_at)
    return " ".join(code_span(f"{name}: {value}") for name, value in facts.items())


def _shown(text: str) -> str:
    return fence(folded(cut(text)))


def _pretty(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
