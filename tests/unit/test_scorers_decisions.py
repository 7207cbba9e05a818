"""Decisions: what a decider says of the draft and of its fields."""

import pytest

from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Part
from hitl_prefect.protocols import Question
from hitl_prefect.scorers import Decisions
from tests.unit.seating import PRICE_USD, ScriptedDecider, seated

LUNA = "openai:gpt-6-luna"
INVOICE = {"vendor": "ACME", "to`tal\n": 3}


async def test_the_probability_that_the_draft_is_right():
    decider = ScriptedDecider({"correct": 0.83})
    found = await Decisions().look(seated({LUNA: decider}, INVOICE))
    [(messages, questions)] = decider.asked

    assert found == Part(name="decisions:openai:gpt-6-luna", confidence=0.83, cost_usd=PRICE_USD)
    assert questions == (Question(name="correct", instructions="The proposed answer is right."),)
    assert '"vendor": "ACME"' in messages[0].text


async def test_each_field_is_asked_about_by_number_in_the_same_call():
    """A field's own name may hold any character; it is shown as code."""
    decider = ScriptedDecider({"correct": 0.8, "field_0": 0.9, "field_1": 0.4})
    found = await Decisions(per_field=True).look(seated({LUNA: decider}, INVOICE))
    [(_, questions)] = decider.asked

    assert found.fields == {"vendor": 0.9, "to`tal\n": 0.4}
    assert questions[1:] == (
        Question(name="field_0", instructions="In the proposed answer, the value of the field ` vendor ` is right."),
        Question(name="field_1", instructions="In the proposed answer, the value of the field `` to`tal `` is right."),
    )


async def test_what_the_decider_declines_is_left_out_and_told():
    decider = ScriptedDecider({"correct": None, "field_0": None, "field_1": 0.4})
    found = await Decisions(per_field=True).look(seated({LUNA: decider}, INVOICE))

    assert found == Part(
        name="decisions:openai:gpt-6-luna",
        confidence=None,
        reason="decider declined to say whether the answer is right; decider declined to judge 1 of the fields",
        fields={"to`tal\n": 0.4},
        cost_usd=PRICE_USD,
    )


@pytest.mark.parametrize(("draft", "questions"), [("Paris", 1), ({}, 1), ({f"f{n}": n for n in range(500)}, 400)])
async def test_a_request_has_at_most_400_questions(draft, questions):
    decider = ScriptedDecider({"correct": 0.5})
    await Decisions(per_field=True).look(seated({LUNA: decider}, draft))

    assert len(decider.asked[0][1]) == questions


async def test_a_model_that_is_no_decider_cannot_decide():
    with pytest.raises(ConfigError, match="is no decider"):
        await Decisions().look(seated({LUNA: ["text"]}))
