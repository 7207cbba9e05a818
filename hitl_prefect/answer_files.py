"""An answer as a person writes it: on the command line, or in a file that an editor opens.

Text stands there to the letter, everything else as JSON. What is to be read but not sent stands above a mark.
"""

import json
from collections.abc import Sequence

from pydantic import JsonValue
from pydantic_core import from_json

from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_values import unescape_kinds
from hitl_prefect.forms import Form
from hitl_prefect.inert import visible

__all__ = ["answer_in_file", "answer_in_words", "file_text", "is_text", "shown_answer"]

_MARK = "// ---- below this line stands the answer ----"


def shown_answer(form: Form) -> JsonValue:
    """What the form is filled with: the draft, or what was typed last; `None` where it is empty."""
    return unescape_kinds(form.form_schema["properties"]["answer"].get("default"))


def is_text(form: Form) -> bool:
    """Whether the answer is one text, written to the letter."""
    return form.strict_answer.get("type") == "string"


def file_text(form: Form, body: str | None = None, remarks: Sequence[str] = ()) -> str:
    """The file to edit: remarks, the mark, and `body`, by default what the form is filled with."""
    lines = [f"// {line}" for remark in remarks for line in visible(remark).split("\n")]
    return "\n".join([*lines, _MARK, f"{_written(form) if body is None else body}\n"])


def body_of(text: str) -> str:
    """What stands below the mark, without the line break that editors put at the end."""
    head, mark, below = text.partition(f"{_MARK}\n")
    return (below if mark else head).removesuffix("\n")


def answer_in_file(form: Form, text: str) -> JsonValue:
    """The answer that stands in a file, with or without remarks above it.

    Raises:
        AnswerRefused: If it is no JSON; the message names line and column.
    """
    body = body_of(text)
    return body if is_text(form) else _json(body)


def answer_in_words(form: Form, words: str) -> JsonValue:
    """The answer as one argument: JSON, or plain words where the answer is one text.

    Raises:
        AnswerRefused: If it is no JSON, and should be.
    """
    try:
        value = _json(words)
    except AnswerRefused:
        if is_text(form):
            return words
        raise
    return words if is_text(form) and not isinstance(value, str) else value


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = from_json(text, allow_inf_nan=False)
    except ValueError as exc:
        raise AnswerRefused((f"answer: this is no JSON: {exc}",)) from exc
    return value


def _written(form: Form) -> str:
    answer = shown_answer(form)
    if is_text(form):
        return answer if isinstance(answer, str) else ""
    if answer is None:
        answer = dict.fromkeys(form.strict_answer.get("properties", ()))
    return json.dumps(answer, indent=2, ensure_ascii=False)
