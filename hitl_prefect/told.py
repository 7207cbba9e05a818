"""What whoever decides alone is told of what others said: who, what, why, and about which fields they differ."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from hitl_prefect.briefs import Brief
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.fields import differences, field_at
from hitl_prefect.inert import code_span, cut
from hitl_prefect.outcomes import Verdict

__all__ = ["disputed", "told"]

_ROWS = 20
_VALUE_LENGTH = 200
_REASON_LENGTH = 1000


def told(brief: Brief) -> str:
    """What others said, as markdown in which their words are inert; empty for whoever must not see it."""
    if brief.ask.role == "tie_breaker":
        opening = _tie_broken_by(brief)
    elif brief.ask.role == "escalated":
        opening = _escalated_by(brief.told)
    else:
        return ""
    said = "\n".join(_said(one) for one in brief.told if one.decision != "escalate")
    return "\n\n".join(part for part in (opening, said, _table(brief)) if part)


def disputed(verdicts: Sequence[Verdict]) -> list[str]:
    """The dotted paths of the fields that the answers do not agree about, none of them below another.

    The empty path is the answer as a whole.
    """
    answers = [one.answer for one in verdicts if one.answer is not None]
    paths = sorted({one.path for answer in answers[1:] for one in differences(answers[0], answer)})
    return [path for path in paths if not any(path != other and _is_below(path, other) for other in paths)]


def _is_below(path: str, other: str) -> bool:
    return other == "" or path.startswith(f"{other}.")


def _tie_broken_by(brief: Brief) -> str:
    opening = f"**{len(brief.told)} people have answered without agreeing on one answer. You decide.**"
    if canonical_bytes(brief.filled_with) == canonical_bytes(brief.generation.answer):
        return opening
    return f"{opening} The fields below hold what most of them want, and the draft's where there is no majority."


def _escalated_by(verdicts: Sequence[Verdict]) -> str:
    handed_over = next((one for one in reversed(verdicts) if one.decision == "escalate"), None)
    if handed_over is None:
        return "**This case was escalated to you.**"
    return f"**This case was escalated to you** by {_name(handed_over)}{_because(handed_over)}."


def _said(one: Verdict) -> str:
    return f"- {_name(one)}: {one.decision}{_because(one)}"


def _name(one: Verdict) -> str:
    return code_span(one.reviewer) if one.reviewer else "somebody without a name"


def _because(one: Verdict) -> str:
    return f", because {code_span(cut(one.reason, _REASON_LENGTH))}" if one.reason.strip() else ""


def _table(brief: Brief) -> str:
    paths = disputed(brief.told)
    rows = [row for path in paths for row in _rows(path, brief)]
    if not rows:
        return ""
    hidden = f"\n\n{len(rows) - _ROWS} more rows are left out." if len(rows) > _ROWS else ""
    return "\n".join(["| Field | Answer | Said by |", "| --- | --- | --- |", *rows[:_ROWS]]) + hidden


def _rows(path: str, brief: Brief) -> Iterator[str]:
    """One row for each answer that there is to a field, the draft's first."""
    said: defaultdict[bytes, list[str]] = defaultdict(list)
    if brief.generation.answer is not None:
        said[canonical_bytes(_value(brief.generation.answer, path))].append("the draft")
    for one in brief.told:
        if one.answer is not None:
            said[canonical_bytes(_value(one.answer, path))].append(_name(one))
    for value, names in said.items():
        yield f"| {code_span(path or 'answer')} | {_shown(value)} | {', '.join(names)} |"


def _value(answer: JsonValue, path: str) -> JsonValue:
    try:
        value: JsonValue = field_at(answer, path)
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return value


def _shown(canonical: bytes) -> str:
    text = json.dumps(json.loads(canonical), ensure_ascii=False)
    return code_span(cut(text, _VALUE_LENGTH))
