"""The form without a browser: what is refused, what it offers, and how an answer is read back."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, SecretStr, computed_field

from hitl_prefect.answers import answer_type
from hitl_prefect.errors import FormError
from hitl_prefect.form_fields import answer_schema
from hitl_prefect.form_reading import read_form
from hitl_prefect.form_values import escape_kinds, unescape_kinds
from hitl_prefect.forms import check_form
from hitl_prefect.inert import code_span, cut, fence, visible
from hitl_prefect.models import Case
from hitl_prefect.panel import Ask
from hitl_prefect.policy import Policy
from tests.unit.invoices import CASE, DRAFT, Invoice, Line, form_for, refusals

ESCALATED = Ask(role="escalated", people=("eve",), named=True)


class Node(BaseModel):
    children: "list[Node]"


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Holder(BaseModel):
    inner: Loose


class Reserved(BaseModel):
    kind: str = Field(alias="__prefect_kind")


class TwoNames(BaseModel):
    name: str = Field(validation_alias="label")


class Summed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    parts: list[int]

    @computed_field
    def total(self) -> int:
        return sum(self.parts)


class Left(BaseModel):
    left: str


class Right(BaseModel):
    right: str


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        (Node, "answer.children.0"),
        (Holder, "answer.inner"),
        (Reserved, "answer.__prefect_kind"),
        (TwoNames, "answer.label"),
        (Summed, "answer.total"),
        (tuple[str, int], "answer"),
        (dict[str, str] | None, "answer"),
        (str | None, "answer"),
        (str | int, "answer"),
        (list[Left | Right], "answer.0"),
        (Literal["a", 1], "answer"),
        (Literal[True], "answer"),
        (SecretStr, "answer"),
        (bytes, "answer"),
    ],
)
def test_a_type_that_no_person_could_submit_is_refused(answer: Any, path: str) -> None:
    """Before any model is asked, with the field's path and what to use instead."""
    with pytest.raises(FormError, match=rf"^{path} .*; use .* instead$"):
        check_form(answer)


def test_a_type_that_pydantic_cannot_describe_is_refused() -> None:
    """As an error in the form, which names the type."""
    with pytest.raises(FormError, match="Opaque"):
        check_form(type("Opaque", (), {}))


@pytest.mark.parametrize(
    "answer",
    [str, int, bool, Decimal, date, datetime, time, timedelta, UUID, Literal["a", "b"], list[Line], set[str], Invoice],
)
def test_a_type_that_a_person_can_submit_passes(answer: Any) -> None:
    """Bare types and models alike, as valid JSON schema without a single `$ref`."""
    check_form(answer)

    schema = answer_schema(answer)
    Draft202012Validator.check_schema(schema)
    assert "$ref" not in str(schema)


def test_the_form_keeps_constraints_help_and_titles() -> None:
    """And insists where leaving a field out would quietly mean a default that says something."""
    schema = form_for(DRAFT).form_schema["properties"]["answer"]

    assert schema == {
        "title": "Answer",
        "type": "object",
        "position": 1,
        "default": DRAFT,
        "required": ["vendor", "total", "currency"],
        "properties": {
            "vendor": {"title": "Vendor", "type": "string", "minLength": 2, "description": "Who sends it."},
            "total": {"title": "Total", "type": "number", "minimum": 0},
            "due": {"title": "Due", "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "currency": {"title": "Currency", "type": "string"},
            "tags": {"title": "Tags", "type": "array", "items": {"type": "string"}, "minItems": 0},
            "lines": {
                "title": "Lines",
                "type": "array",
                "minItems": 0,
                "default": [],
                "items": {
                    "title": "Line",
                    "type": "object",
                    "required": ["sku", "quantity"],
                    "properties": {
                        "sku": {"title": "Sku", "type": "string"},
                        "quantity": {"title": "Quantity", "type": "integer", "minimum": 1},
                    },
                },
            },
        },
    }


def test_the_decision_is_required_and_has_no_default() -> None:
    """Silence is not consent."""
    schema = form_for(DRAFT).form_schema

    assert schema["required"] == ["decision"]
    assert "default" not in schema["properties"]["decision"]


@pytest.mark.parametrize(
    ("answer", "details", "decisions"),
    [
        (DRAFT, {}, ("approve", "edit", "reject", "retry")),
        (None, {}, ("edit", "reject", "retry")),
        (DRAFT, {"attempt": 3}, ("approve", "edit", "reject")),
        (DRAFT, {"policy": Policy(escalate_to=("eve",))}, ("approve", "edit", "reject", "retry", "escalate")),
        (DRAFT, {"policy": Policy(escalate_to=("eve",)), "ask": ESCALATED}, ("approve", "edit", "reject", "retry")),
    ],
)
def test_the_form_offers_what_can_be_honoured(answer: Any, details: dict[str, Any], decisions: tuple[str, ...]) -> None:
    """No approve without a draft, no retry after the last attempt, no escalation without anybody to ask."""
    assert form_for(answer, **details).decisions == decisions


def test_once_escalated_only_those_named_may_answer() -> None:
    """The form lists them, and requires one."""
    form = form_for(DRAFT, policy=Policy(reviewers=("ann",), escalate_to=("eve",)), ask=ESCALATED)

    assert form.reviewers == ("eve",)
    assert form.form_schema["required"] == ["decision", "reviewer"]
    assert refusals(form, {"decision": "reject", "reviewer": "ann"}) == ("reviewer: this form is for eve",)


def test_the_sha256_names_schema_and_description() -> None:
    """Same question, same name; another draft, another name."""
    assert form_for(DRAFT).sha256 == form_for(DRAFT).sha256
    assert form_for(DRAFT).sha256 != form_for({**DRAFT, "total": 13.0}).sha256
    assert form_for(DRAFT).form_schema["x-hitl-draft-sha256"] == form_for(DRAFT).draft_sha256


def test_asking_again_shows_what_was_typed() -> None:
    """The fields hold it, the description says what was wrong, and the decision is open again."""
    typed = {"decision": "edit", "answer": {**DRAFT, "vendor": "ACME"}, "reason": "typo"}
    form = form_for(DRAFT, errors=("vendor: write it in mixed case",), typed=typed)
    fields = form.form_schema["properties"]

    assert fields["answer"]["default"] == typed["answer"]
    assert fields["reason"]["default"] == "typo"
    assert "default" not in fields["decision"]
    assert "vendor: write it in mixed case" in form.description
    assert read_form(form, CASE, {"decision": "approve", "draft_sha256": form.draft_sha256}).answer == DRAFT


def test_a_draft_s_own_template_is_data() -> None:
    """`__prefect_kind` reaches the server as JSON text, from the form and from our own clients."""
    draft = {"a": {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}}
    case = Case(id="c1", task="t", prompt="?", answer=dict[str, Any])
    form = form_for(draft, case=case)
    default = form.form_schema["properties"]["answer"]["default"]

    assert default.keys() == {"__prefect_kind", "value"}
    assert unescape_kinds(default) == draft
    assert unescape_kinds(escape_kinds(draft)) == draft
    assert read_form(form, case, {"decision": "approve", "answer": draft}).answer == draft


def test_the_description_says_why_and_names_the_draft() -> None:
    """The reason, the confidences, the prompt, the draft, the deadline."""
    form = form_for(DRAFT, deadline_at=datetime(2026, 1, 4, tzinfo=UTC))

    for part in (
        "The confidence is below the bar.",
        "` stated 0.50 `",
        "```text\nExtract the invoice.\n```",
        '"vendor": "Acme"',
        f"Draft: {form.draft_sha256[:12]} `",
        "2026-01-04 00:00:00 UTC",
    ):
        assert part in form.description


def test_a_long_prompt_is_cut_in_the_middle_and_says_so() -> None:
    """Head and tail stay."""
    case = Case(id="c1", task="t", prompt="head" + "x" * 50_000 + "tail", answer=str)
    description = form_for("ok", case=case).description

    assert "[... 30,008 characters are hidden here ...]" in description
    assert "head" in description
    assert "tail" in description
    assert len(description) < 25_000


@pytest.mark.parametrize("text", ["```", "~~~\n````\n`", "a\n```````", "\u202e\x1b[0m\u200b", ""])
def test_inert_text_cannot_leave_its_block(text: str) -> None:
    """The fence is longer than any run inside; nothing undrawn is left."""
    block = fence(text)
    opening, *body, closing = block.split("\n")

    assert opening == f"{closing}text"
    assert not any(line.startswith(closing) for line in body)
    assert block.isprintable() or "\n" in block
    assert visible(text) == visible(visible(text))


def test_a_code_span_stays_in_its_table_cell() -> None:
    """One line, the bar escaped, the ticks outnumbered."""
    assert code_span("a | `b`\n\n# c") == r"`` a \| `b` # c ``"
    assert cut("short") == "short"


def test_every_draft_is_read_back_as_itself() -> None:
    """Approving what the form was filled with changes nothing, for numbers too large for a browser as well."""
    case = Case(id="c1", task="t", prompt="?", answer=dict[str, int])
    draft = answer_type(dict[str, int]).as_json({"n": 2**70})
    form = form_for(draft, case=case)
    submitted = unescape_kinds(form.form_schema["properties"]["answer"]["default"])

    assert read_form(form, case, {"decision": "approve", "answer": submitted}).answer == draft


def test_a_form_for_a_group_says_what_hangs_on_it():
    """Another attempt would say something of one of its cases only: a group's form does not offer it."""
    form = form_for(DRAFT, group=tuple(f"c{number}" for number in range(25)))

    assert "**Your answer decides 25 cases at once,** whose drafts say the same: ` c0 ` ` c1 `" in form.description
    assert "` c19 ` and 5 more" in form.description
    assert form.decisions == ("approve", "edit", "reject")
