import pytest
from pydantic import ValidationError

from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.policy import Policy
from tests.unit.making import a_case, a_generation


@pytest.mark.parametrize("case_id", ["../../etc/passwd", "a/b", "", ".hidden", "a..b", "a b", "x" * 129, "a\n"])
def test_a_case_id_that_could_leave_its_folder_is_refused(case_id):
    """A case id becomes part of an object key and a file name."""
    with pytest.raises(ValidationError):
        a_case(id=case_id)


def test_one_prompt_and_one_user_message_are_the_same_prompt():
    """A prompt is named by what the model is shown."""
    spelled_out = a_case(prompt=(Message(role="user", content="Extract."),))

    assert spelled_out.prompt_sha256 == a_case().prompt_sha256


def test_the_answer_type_is_not_stored():
    """A Python type cannot be written; whoever reads a case back gives it again."""
    assert "answer" not in a_case(answer=int).model_dump()


def test_a_case_is_closed_to_fields_that_nobody_declared():
    """A misspelt field is an error and not silence."""
    with pytest.raises(ValidationError, match="metdata"):
        Case(id="c1", task="t", prompt="p", metdata={})


def test_a_generation_seals_its_draft():
    """Whoever changes a stored draft is found out on reading."""
    stored = a_generation().model_dump(mode="json")

    assert type(a_generation()).model_validate(stored) == a_generation()
    with pytest.raises(ValidationError, match="changed after it was made"):
        type(a_generation()).model_validate(stored | {"answer": {"total": 99}})


def test_the_seal_tells_attempts_and_models_apart():
    """The same words by another model, or at another attempt, are another draft."""
    seals = {a_generation(**change).sha256 for change in ({}, {"attempt": 2}, {"model": "other"}, {"text": "x"})}

    assert len(seals) == 4


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"review": "never"}, "reversible=True"),
        ({"on_deadline": "escalate"}, "escalate_to"),
        ({"on_deadline": "fallback"}, "give the answer"),
        ({"min_confidence": 1.5}, "less than or equal to 1"),
        ({"min_confidense": 0.5}, "Extra inputs"),
    ],
)
def test_a_policy_that_cannot_be_honoured_is_refused(fields, says):
    """A control is refused when it is written, never at the moment it was needed."""
    with pytest.raises(ValidationError, match=says):
        Policy(**fields)


def test_a_policy_names_its_content():
    """The same policy has the same version wherever it is written; another one has another."""
    assert Policy(min_confidence=0.9).version == Policy(min_confidence=0.9).version
    assert Policy(min_confidence=0.9).version != Policy(min_confidence=0.8).version
