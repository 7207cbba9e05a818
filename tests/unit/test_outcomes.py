import json
from datetime import timedelta, timezone
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

import hitl_prefect
from hitl_prefect.outcomes import Outcome, Review, Verdict, outcome_key, outcome_schema
from tests.unit.making import NOON, a_generation, a_review, an_outcome

SCHEMA = Path(hitl_prefect.__file__).parent / "data" / "schemas" / "hitl.outcome.v1.json"


class Total(BaseModel):
    total: float


def reviewed() -> Review:
    draft = a_generation()
    verdict = Verdict(
        decision="edit",
        answer={"total": 13},
        reviewer="ada",
        attempt=1,
        draft_sha256=draft.sha256,
        form_sha256="0" * 64,
        opened_at=NOON,
        decided_at=NOON,
    )
    return a_review(verdict)


def test_the_same_outcome_has_the_same_bytes():
    """Also after a round through JSON, and whatever the order of the keys was."""
    outcome = an_outcome()
    shuffled = dict(reversed(list(json.loads(outcome.stored).items())))

    assert Outcome.model_validate(shuffled).stored == outcome.stored


def test_a_final_answer_comes_back_as_the_type_that_was_asked_for():
    """`Outcome[Total]` reads what an untyped outcome wrote."""
    assert Outcome[Total].model_validate_json(an_outcome().stored).final_answer == Total(total=12.5)


def test_the_key_follows_the_day_of_the_decision_in_utc():
    """An hour past midnight in Berlin is still yesterday in the bucket."""
    berlin = timezone(timedelta(hours=2))
    outcome = an_outcome(decided_at=NOON.astimezone(berlin).replace(day=3, hour=1))

    assert outcome_key(outcome) == "outcomes/v1/task=invoices/dt=2026-01-02/c1.json"


@pytest.mark.parametrize(
    "change", [{"decision": "reject"}, {"final_answer": None}, {"decided_by": "nobody"}, {"schema": "hitl.outcome/v2"}]
)
def test_an_outcome_that_contradicts_itself_cannot_be_made(change):
    """A rejected case ships nothing, and nothing else ships nothing."""
    with pytest.raises(ValidationError):
        an_outcome(**change)


def test_the_schema_that_is_shipped_is_the_schema_of_the_code():
    """Write it anew with `python -m tests.unit.test_outcomes` when the model changes."""
    assert json.loads(SCHEMA.read_text()) == outcome_schema()


@pytest.mark.parametrize("outcome", [an_outcome(), an_outcome(review=reviewed(), decision="edit", decided_by="human")])
def test_what_is_stored_is_valid_for_the_schema(outcome):
    """Other languages read outcomes by the schema alone."""
    jsonschema.Draft202012Validator(outcome_schema()).validate(json.loads(outcome.stored))


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(outcome_schema(), indent=2, sort_keys=True) + "\n")
