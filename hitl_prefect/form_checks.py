"""What is wrong with an answer before it is sent: all of it at once, where the server tells the first error only."""

from typing import Any

from jsonschema import Draft202012Validator

from hitl_prefect.bounds import out_of_bounds
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_reading import wrong_entries
from hitl_prefect.forms import Form
from hitl_prefect.inert import short, visible

__all__ = ["answer_errors", "check_typed"]


def check_typed(form: Form, typed: dict[str, Any]) -> None:
    """Check an answer as far as its form tells; the answer type's own validators run in the flow.

    Raises:
        AnswerRefused: With one sentence per problem, the field first.
    """
    errors = out_of_bounds(typed)
    if not errors:
        edits = typed.get("decision") == "edit"
        missing = ("answer: edit needs an answer",) if edits and "answer" not in typed else ()
        wrong = answer_errors(form, typed["answer"]) if edits and not missing else missing
        errors = (*wrong_entries(form, typed), *wrong)
    if errors:
        raise AnswerRefused(errors)


def answer_errors(form: Form, answer: Any) -> tuple[str, ...]:
    """What the form does not allow in an answer: one sentence per problem, the field first."""
    if too_much := out_of_bounds({"answer": answer}):
        return too_much
    found = Draft202012Validator(form.strict_answer).iter_errors(answer)
    return tuple(sorted(_sentence([str(step) for step in one.absolute_path], one.message) for one in found))


def _sentence(path: list[str], message: str) -> str:
    return visible(f"{'.'.join(path) or 'answer'}: {short(message)}")
