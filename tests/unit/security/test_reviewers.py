"""What comes back from a form, whoever sent it: an answer that the form allows, or refused with words."""

import json
from contextlib import suppress
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from hitl_prefect.bounds import out_of_bounds, within_bounds
from hitl_prefect.briefs import Brief
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_checks import check_typed
from hitl_prefect.form_reading import read_form
from hitl_prefect.form_values import escape_kinds, unescape_kinds
from hitl_prefect.forms import build_form
from hitl_prefect.panel import Ask
from hitl_prefect.policy import Policy
from tests.unit.invoices import DRAFT, Invoice
from tests.unit.making import a_case, a_generation, a_route, a_score
from tests.unit.security.fuzzing import JSON, almost, fuzzed

KINDS: dict[str, tuple[Any, JsonValue]] = {
    "model": (Invoice, DRAFT),
    "text": (str, "yes"),
    "choice": (Literal["yes", "no"], "yes"),
    "number": (float, 1.5),
    "free": (dict[str, JsonValue], {"a": {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}}),
}


def brief_of(kind, **details):
    answer, draft = KINDS[kind]
    return Brief(
        case=a_case(answer=answer),
        generation=a_generation(answer=draft, text="x"),
        score=a_score(),
        route=a_route(action="review", reason="below_bar", propensity=1.0),
        policy=Policy(reviewers=("ada", "bob")),
        ask=Ask(people=("ada", "bob")),
        round_id="r1",
        **details,
    )


def typed_into(form, draft):
    """What a form sends, but for a place or two; and what no form would ever send."""
    right = {
        "decision": "approve",
        "answer": draft,
        "reviewer": "ada",
        "reason": "It is so.",
        "guidance": "",
        "channel": "ui",
        "draft_sha256": form.draft_sha256,
        "round": "r1",
        "seen_at": "2026-01-02T12:00:00+00:00",
    }
    edited = right | {"decision": "edit"}
    anything = st.dictionaries(
        st.sampled_from([*right, "signature", "bulk", "x"]) | st.text(max_size=5), JSON, max_size=5
    )
    return almost(right) | almost(edited) | almost(edited).flatmap(almost) | anything | JSON


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_one_that_the_form_allows_or_it_is_refused(kind):
    """Never another error, and never an approval of anything but the draft."""
    brief = brief_of(kind)
    form, draft = build_form(brief), KINDS[kind][1]

    @fuzzed(50)
    @given(typed_into(form, draft))
    def read(data):
        if not isinstance(data, dict):
            return
        with suppress(AnswerRefused):
            said = read_form(form, brief.case, data)
            assert said.decision in form.decisions
            assert said.reviewer in ("ada", "bob")
            assert data.get("draft_sha256") in (None, form.draft_sha256)
            assert data.get("round") in (None, "r1")
            assert said.decision != "approve" or canonical_bytes(said.answer) == canonical_bytes(draft)

    read()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_refused_is_asked_again_whatever_it_was(kind):
    """The next form is made, holds what was typed within bounds, and can be stored."""
    brief = brief_of(kind)
    form, draft = build_form(brief), KINDS[kind][1]

    @fuzzed()
    @given(typed_into(form, draft))
    def ask_again(data):
        if not isinstance(data, dict):
            return
        try:
            read_form(form, brief.case, data)
        except AnswerRefused as exc:
            kept = within_bounds(data)
            again = build_form(brief.model_copy(update={"errors": exc.errors, "typed": kept}))
            assert not out_of_bounds(kept)
            assert json.dumps(again.form_schema).encode()
            assert again.description.encode()
            assert "default" not in again.form_schema["properties"]["decision"]

    ask_again()


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line_refuses_before_anything_is_sent(kind):
    form, draft = build_form(brief_of(kind)), KINDS[kind][1]

    @fuzzed()
    @given(typed_into(form, draft))
    def check(data):
        if isinstance(data, dict):
            with suppress(AnswerRefused):
                check_typed(form, data)

    check()


@fuzzed(50)
@given(JSON)
def test_no_object_that_somebody_wrote_is_rendered_by_the_server(value):
    """What is sent holds the mark of a template nowhere but around JSON text, which the server only parses."""
    with suppress(AnswerRefused, ValueError):
        canonical_bytes(value).decode()
        sent = escape_kinds(value)

        assert set(_kinds(sent)) <= {"json"}
        assert unescape_kinds(sent) == value


def _kinds(value):
    if isinstance(value, dict):
        if "__prefect_kind" in value:
            yield json.dumps(value["__prefect_kind"]).strip('"')
        for one in value.values():
            yield from _kinds(one)
    elif isinstance(value, list):
        for one in value:
            yield from _kinds(one)


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_holds_no_template_of_the_model_s(kind):
    """The draft is its default: the server would render what it finds there once it is sent back."""
    assert set(_kinds(build_form(brief_of(kind)).form_schema)) <= {"json"}
