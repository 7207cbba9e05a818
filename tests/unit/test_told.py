"""What the form of several people tells: how far it is, and to whoever decides alone what the others said."""

from typing import Any

import pytest
from pydantic import BaseModel, JsonValue

from hitl_prefect.briefs import Brief
from hitl_prefect.form_reading import read_form
from hitl_prefect.forms import Form, build_form
from hitl_prefect.outcomes import Verdict
from hitl_prefect.panel import Ask
from hitl_prefect.people import SecondOpinion
from hitl_prefect.policy import Policy
from hitl_prefect.told import disputed
from tests.unit.invoices import refusals
from tests.unit.making import a_case, a_generation, a_route, a_score, a_verdict


class Line(BaseModel):
    sku: str
    n: int


class Invoice(BaseModel):
    vendor: str
    total: float
    lines: list[Line] = []


DRAFT: dict[str, Any] = {"vendor": "ACME", "total": 12.5, "lines": [{"sku": "a", "n": 1}]}
CASE = a_case(answer=Invoice)
QUORUM = Policy(quorum=2, escalate_to=("sue",))
TIE_BREAKER, ESCALATED = Ask(role="tie_breaker", named=True), Ask(role="escalated", people=("sue",), named=True)
SECOND_OF_TWO = Ask(not_these=("ada",), named=True, answered=1, needed=2)


def form(ask: Ask, *told: Verdict, **details: Any) -> Form:
    facts = {"case": CASE, "generation": a_generation(answer=DRAFT), "score": a_score(), "route": a_route()}
    return build_form(Brief(**{**facts, "policy": QUORUM, "ask": ask, "told": told, **details}))


def saying(reviewer: str, answer: JsonValue, **details: Any) -> Verdict:
    decision = "reject" if answer is None else "approve" if answer == DRAFT else "edit"
    return a_verdict(**{"reviewer": reviewer, "answer": answer, "decision": decision, **details})


ADA = saying("ada", DRAFT, reason="as on paper")
BOB = saying("bob", DRAFT | {"total": 13.0, "lines": []}, reason="two | cents")
EVE = saying("eve", None)


@pytest.mark.parametrize(("ask", "said"), [(Ask(needed=2), "0 of 2"), (SECOND_OF_TWO, "1 of 2")])
def test_the_form_of_a_quorum_says_how_many_have_answered(ask, said):
    """In one line; and that nobody sees what the others say."""
    line = f"**{said} have answered.** Nobody sees what the others say before all have."

    assert form(ask).description.startswith(line)


def test_the_form_of_one_says_nothing_of_others():
    """There are none."""
    assert "have answered" not in form(Ask(), policy=Policy()).description


def test_a_tie_breaker_sees_who_said_what():
    """Who, what and why; and the fields that they differ about, the draft's value first."""
    description = form(TIE_BREAKER, ADA, BOB, EVE).description

    assert description.startswith(
        "**3 people have answered without agreeing on one answer. You decide.**\n\n"
        "- ` ada `: approve, because ` as on paper `\n"
        "- ` bob `: edit, because ` two \\| cents `\n"
        "- ` eve `: reject\n\n"
        "| Field | Answer | Said by |\n"
        "| --- | --- | --- |\n"
        '| ` lines ` | ` [{"n": 1, "sku": "a"}] ` | the draft, ` ada ` |\n'
        "| ` lines ` | ` [] ` | ` bob ` |\n"
        "| ` total ` | ` 12.5 ` | the draft, ` ada ` |\n"
        "| ` total ` | ` 13.0 ` | ` bob ` |\n\n"
    )


def test_what_others_wrote_is_inert():
    """Names, reasons and answers stand in code, in one line of their table cell."""
    hostile = saying("![](http://x)\n| a", DRAFT | {"vendor": "`|`\n# b"}, reason="</details>\n**c**")
    description = form(TIE_BREAKER, ADA, hostile).description

    assert "- ` ![](http://x) \\| a `: edit, because ` </details> **c** `" in description
    assert '| ` vendor ` | `` "`\\|`\\n# b" `` | ` ![](http://x) \\| a ` |' in description


def test_many_disputed_fields_are_cut():
    """With how many are left out."""
    lines = [{"sku": str(n), "n": n} for n in range(15)]
    one, other = saying("ada", DRAFT | {"lines": lines}), saying("bob", DRAFT | {"lines": lines[::-1]})
    description = form(TIE_BREAKER, one, other).description

    assert description.count("\n| `") == 20
    assert "more rows are left out." in description


@pytest.mark.parametrize(
    ("answers", "paths"),
    [
        ([DRAFT, DRAFT], []),
        ([DRAFT, None], []),
        ([DRAFT, DRAFT | {"lines": [{"sku": "a", "n": 2}]}], ["lines.0.n"]),
        ([DRAFT, DRAFT | {"lines": [{"sku": "a", "n": 2}]}, DRAFT | {"lines": []}], ["lines"]),
        (["yes", "no"], [""]),
    ],
)
def test_disputed_fields_are_named_once(answers, paths):
    """By the path from which on they differ."""
    assert disputed([saying("ada", answer) for answer in answers]) == paths


def test_a_tie_breaker_s_form_is_filled_with_what_most_want():
    """The description says so, and `approve`, which would ship the draft, is not offered beside it."""
    filled = form(TIE_BREAKER, ADA, BOB, proposal=DRAFT | {"vendor": "Acme"})
    drafted = form(TIE_BREAKER, ADA, BOB, proposal=DRAFT)

    assert filled.form_schema["properties"]["answer"]["default"]["vendor"] == "Acme"
    assert "The fields below hold what most of them want" in filled.description
    assert (filled.decisions[0], drafted.decisions[0]) == ("edit", "approve")


def test_who_it_was_escalated_to_sees_who_did_and_why():
    """And what others said before."""
    gave_up = saying("bob", None, decision="escalate", reason="I know them")
    description = form(ESCALATED, ADA, gave_up).description

    assert description.startswith(
        "**This case was escalated to you** by ` bob `, because ` I know them `.\n\n"
        "- ` ada `: approve, because ` as on paper `\n\n"
    )
    assert form(ESCALATED).description.startswith("**This case was escalated to you.**\n\n")


@pytest.mark.parametrize("ask", [SECOND_OF_TWO, Ask(role="second", not_these=("ada",), named=True)])
def test_the_others_of_a_quorum_are_told_nothing(ask):
    """Not even what did not apply, which is kept without being shown; only what is to be mended."""
    typed = {"decision": "edit", "answer": DRAFT | {"vendor": "Secret"}, "reviewer": "ada", "reason": "Because"}
    policy = QUORUM if ask.role == "reviewer" else Policy(second_opinion=SecondOpinion())
    again = form(ask, BOB, policy=policy, errors=("vendor: too long",), typed=typed)

    assert "vendor: too long" in again.description
    assert "What was typed is kept, and not shown" in again.description
    assert not {"Secret", "Because", "13.0"} & set(again.model_dump_json().replace('"', " ").split())
    assert again.form_schema["properties"]["answer"]["default"] == DRAFT


def test_an_approval_that_changed_a_field_is_refused_without_its_value():
    """The next to open the form may be somebody else."""
    changed = {"decision": "approve", "answer": DRAFT | {"total": 13.0}, "reviewer": "bob"}

    assert refusals(form(SECOND_OF_TWO), changed, CASE) == (
        "you chose approve but changed total; choose edit to change the draft",
    )
    assert refusals(form(TIE_BREAKER, proposal=DRAFT), changed, CASE) == (
        "you chose approve but changed total: 12.5 -> 13.0; choose edit to change the draft",
    )


@pytest.mark.parametrize("name", ["ada", " ADA ", "a\u200bda"])
def test_nobody_answers_twice(name):
    """Also where the answer came past the server's form."""
    refused = refusals(form(SECOND_OF_TWO), {"decision": "reject", "reviewer": name}, CASE)

    assert refused == (
        f"reviewer: {name.strip()} has answered this case already, or asked for it; somebody else must answer",
    )
    assert read_form(form(SECOND_OF_TWO), CASE, {"decision": "reject", "reviewer": "bob"}).reviewer == "bob"
