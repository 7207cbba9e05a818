"""Training files from what people decided."""

import json
import resource
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from hitl_prefect.cli import main
from hitl_prefect.errors import ConfigError
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Attempt
from hitl_prefect.outcomes import CaseRecord, Group, outcome_key
from hitl_prefect.stores import FolderStore
from hitl_prefect.training import (
    OpenAIDpoRow,
    OpenAISftRow,
    TrlDpoRow,
    TrlKtoRow,
    TrlSftRow,
    lesson_of,
    training_files,
)
from hitl_prefect.training.openai import openai_dpo, openai_sft
from hitl_prefect.training.trl import trl_dpo, trl_sft
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, a_verdict, an_outcome
from tests.unit.training_formats import SCHEMAS

DRAFT, EDITED = {"total": 12.5}, {"total": 13.0}
DRAFT_TEXT, EDITED_TEXT = '{"total":12.5}', '{"total":13.0}'
MINUTE = timedelta(minutes=1)
PICTURE = Image(url="https://example.com/receipt.png")


def decided(name: str = "c1", decision: str = "approve", answer: Any = DRAFT, **changes: Any) -> Any:
    """An outcome that a person settled after a minute's look at the draft."""
    verdict = a_verdict(decision=decision, answer=answer, decided_at=NOON + MINUTE, reviewer="ada.lovelace")
    facts = {
        "case": CaseRecord.of(a_case(id=name, prompt=f"Extract {name}.", requester="bob.requester")),
        "route": a_route(action="review", reason="below_bar", propensity=0.5),
        "review": a_review(verdict),
        "decision": decision,
        "final_answer": answer,
        "decided_by": "human",
        "decided_at": NOON + MINUTE,
    }
    return an_outcome(**{**facts, **changes})


def edited(name: str = "c2", answer: Any = EDITED, **changes: Any) -> Any:
    return decided(name, "edit", answer, **changes)


def rejected(name: str = "c3", **changes: Any) -> Any:
    return decided(name, "reject", None, **changes)


def hasty(name: str = "c4", **changes: Any) -> Any:
    """Approved in the very moment in which it was shown."""
    return decided(name, review=a_review(a_verdict()), **changes)


def files(*outcomes: Any, file_format: str = "trl-sft", holdout: float = 0, **options: Any) -> Any:
    return training_files(outcomes, task="invoices", file_format=file_format, holdout=holdout, **options)


def rows_of(found: Any, name: str = "train.jsonl") -> list[Any]:
    return [json.loads(line) for line in found.bodies()[name].splitlines()]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def by_text(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=json.dumps)


ALL = (decided(), edited(), rejected())
SAYS = {
    "trl-sft": [
        {"messages": [user("Extract c1."), assistant(DRAFT_TEXT)]},
        {"messages": [user("Extract c2."), assistant(EDITED_TEXT)]},
    ],
    "trl-dpo": [
        {
            "prompt": [user("Extract c2.")],
            "chosen": [assistant(EDITED_TEXT)],
            "rejected": [assistant(DRAFT_TEXT)],
        }
    ],
    "trl-kto": [
        {"prompt": [user("Extract c1.")], "completion": [assistant(DRAFT_TEXT)], "label": True},
        {"prompt": [user("Extract c2.")], "completion": [assistant(EDITED_TEXT)], "label": True},
        {"prompt": [user("Extract c2.")], "completion": [assistant(DRAFT_TEXT)], "label": False},
        {"prompt": [user("Extract c3.")], "completion": [assistant(DRAFT_TEXT)], "label": False},
    ],
    "openai-dpo": [
        {
            "input": {"messages": [user("Extract c2.")]},
            "preferred_output": [assistant(EDITED_TEXT)],
            "non_preferred_output": [assistant(DRAFT_TEXT)],
        }
    ],
}
SAYS["openai-sft"] = SAYS["trl-sft"]


@pytest.mark.parametrize("file_format", SCHEMAS)
def test_an_approval_an_edit_and_a_rejection_become_the_rows_of_each_format(file_format):
    """Read by an independent statement of the format as well."""
    rows = rows_of(files(*ALL, file_format=file_format))

    assert by_text(rows) == by_text(SAYS[file_format])
    for row in rows:
        jsonschema.validate(row, SCHEMAS[file_format])


def test_only_what_people_looked_at_is_learnt_from():
    """The rest is counted by how it came about."""
    group = Group(case="other", draft_sha256=a_generation().sha256, size=2)
    found = files(
        decided("seen"),
        hasty("hasty"),
        decided("bulk", review=a_review(a_verdict(bulk=True))),
        decided("alike", review=a_review(a_verdict(decided_at=NOON + MINUTE), group=group)),
        decided("audit", route=a_route(action="review", reason="audit", propensity=0.05), decided_by="audit"),
        decided("late", decided_by="deadline"),
        decided("over", decided_by="policy", review=None),
        decided("alone", decided_by="model", review=None),
    )

    assert rows_of(found) == [{"messages": [user("Extract seen."), assistant(DRAFT_TEXT)]}]
    left_out = {"accepted": 1, "anchored": 1, "audit": 1, "bulk": 2, "deadline": 1, "policy": 1}
    assert found.summary.left_out == left_out


def test_what_is_named_is_learnt_from_too_and_an_audit_passed_unread_needs_both_names():
    audit = hasty("audit", route=a_route(action="review", reason="audit", propensity=0.05), decided_by="audit")

    found = {names: files(hasty(), audit, include=names).summary for names in [("anchored",), ("audit",)]}
    both = files(hasty(), audit, include=("anchored", "audit")).summary

    assert [(one.train, one.left_out) for one in found.values()] == [(1, {"audit": 1}), (0, {"anchored": 2})]
    assert (both.train, both.left_out) == (2, {})


def test_who_changed_the_draft_has_read_it_however_quickly():
    quick = a_verdict(decision="edit", answer=EDITED)

    assert lesson_of(edited(review=a_review(quick))).tags == {"prefilled"}


def test_the_draft_is_the_first_one_since_a_later_one_was_told_what_to_do_better():
    first = Attempt(generation=a_generation(answer={"total": 1}), score=a_score(), route=a_route(propensity=1))
    found = files(decided(earlier=(first,), generation=a_generation(attempt=2)), file_format="trl-dpo")

    (row,) = rows_of(found)
    assert (row["chosen"], row["rejected"]) == ([assistant(DRAFT_TEXT)], [assistant('{"total":1}')])


def test_a_draft_that_was_no_answer_is_not_held_against_the_right_one():
    """Its text is in no form that the model is to learn."""
    blank = a_generation(answer=None, text="I think", status="invalid")

    assert len(rows_of(files(edited(generation=blank)))) == 1
    assert files(edited(generation=blank), file_format="trl-dpo").summary.left_out == {"no_pair": 1}


def test_the_same_prompt_is_on_the_same_side_whatever_else_there_is():
    """So a prompt that was validated on is never trained on later."""
    outcomes = [decided(f"n{number}") for number in range(200)]
    few, many = (files(*some, holdout=0.2) for some in (outcomes[:50], outcomes))
    held = {json.dumps(row) for row in rows_of(many, "validation.jsonl")}

    assert {json.dumps(row) for row in rows_of(few, "validation.jsonl")} <= held
    assert not {json.dumps(row) for row in rows_of(few)} & held
    assert 25 <= many.summary.validation <= 55


def test_of_several_outcomes_of_one_prompt_the_latest_counts():
    again = {"case": CaseRecord.of(a_case(id="again", prompt="Extract c2."))}
    later = decided("again", "edit", {"total": 99}, decided_at=NOON + 2 * MINUTE, **again)

    found = files(later, edited())

    assert rows_of(found) == [{"messages": [user("Extract c2."), assistant('{"total":99}')]}]
    assert found.summary.left_out == {"same_prompt": 1}


def test_the_order_in_which_outcomes_are_read_changes_no_byte():
    assert files(*ALL, holdout=0.3).bodies() == files(*reversed(ALL), holdout=0.3).bodies()


def test_what_is_known_of_a_row_stands_beside_it_and_names_no_person():
    found = files(*ALL, file_format="trl-kto")
    facts = rows_of(found, "train.meta.jsonl")

    assert len(facts) == found.summary.train == 4
    assert facts[0].keys() == {
        "case_id",
        "how",
        "anchored",
        "propensity",
        "source_model",
        "source_provider",
        "decided_at",
        "prompt_sha256",
    }
    assert {(one["propensity"], one["source_model"]) for one in facts} == {(0.5, "gpt-5-mini")}
    assert not [name for name in (b"lovelace", b"requester") if name in b"".join(found.bodies().values())]


def showing(*pieces: str | Image) -> Any:
    return {"case": CaseRecord.of(a_case(prompt=(Message(role="user", content=pieces),)))}


def test_a_picture_is_shown_where_the_format_takes_it_and_left_out_elsewhere():
    outcome = edited(**showing("What is it?", PICTURE))
    (row,) = rows_of(files(outcome, file_format="openai-sft"))
    left_out = {name: files(outcome, file_format=name).summary.left_out for name in SCHEMAS if name != "openai-sft"}

    jsonschema.validate(row, SCHEMAS["openai-sft"])
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PICTURE.url}}]
    assert row["messages"][0] == {"role": "user", "content": parts}
    assert set(map(str, left_out.values())) == {"{'image': 1}"}


def test_a_row_that_would_not_be_valid_is_left_out_and_counted():
    """Fine-tuning takes no GIF; nobody takes an empty answer."""
    gif = Image.from_bytes(b"GIF8...")

    assert files(decided(**showing("?", gif)), file_format="openai-sft").summary.left_out == {"unfit": 1}
    assert files(edited(answer="")).summary.left_out == {"unfit": 1}


def test_earlier_turns_of_the_assistant_are_shown_and_not_learnt():
    turns = tuple(Message(role=role, content=text) for role, text in [("user", "a"), ("assistant", "b"), ("user", "c")])
    (row,) = rows_of(files(decided(case=CaseRecord.of(a_case(prompt=turns))), file_format="openai-sft"))

    jsonschema.validate(row, SCHEMAS["openai-sft"])
    assert row["messages"] == [user("a"), {**assistant("b"), "weight": 0}, user("c"), assistant(DRAFT_TEXT)]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", 'a\x00b\u2028"\n```', "{{ x }} \U0001f600"])
def test_a_text_is_data_whatever_stands_in_it(text):
    """One line per row, and the very text in it."""
    found = files(edited(answer=text))

    assert rows_of(found)[0]["messages"][1] == assistant(text)
    assert found.bodies()["train.jsonl"].count(b"\n") == 1


def test_the_models_of_the_formats_take_nothing_else():
    prompt, answer = [user("?")], [assistant("a")]
    with pytest.raises(ValidationError, match="two answers"):
        TrlDpoRow(prompt=prompt, chosen=answer, rejected=answer)
    with pytest.raises(ValidationError, match="label"):
        TrlKtoRow(prompt=prompt, completion=answer, label="yes")
    with pytest.raises(ValidationError, match="Extra inputs"):
        TrlKtoRow(prompt=prompt, completion=answer, label=True, reviewer="ada")


@pytest.mark.parametrize(
    ("model", "row", "said"),
    [
        (TrlSftRow, {"messages": [user("?"), user("!")]}, "ends with a turn of the assistant"),
        (OpenAISftRow, {"messages": [user("?"), user("!")]}, "ends with a turn of the assistant, of weight 1"),
        (OpenAISftRow, {"messages": [user("?"), {**assistant("a"), "weight": 0}]}, "of weight 1"),
        (OpenAISftRow, {"messages": [{**user("?"), "weight": 1}, assistant("a")]}, "only the assistant's turns have a"),
        (
            OpenAISftRow,
            {"messages": [user("?"), {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]},
            "only the user's turns have parts",
        ),
        (
            OpenAIDpoRow,
            {
                "input": {"messages": [user("?")]},
                "preferred_output": [assistant("a")],
                "non_preferred_output": [assistant("a")],
            },
            "the preferred output and the other are two answers",
        ),
    ],
    ids=["no answer", "no answer for OpenAI", "nothing to learn", "weight", "parts", "no preference"],
)
def test_a_row_that_the_trainer_would_refuse_or_learn_nothing_from_cannot_be_made(model, row, said):
    with pytest.raises(ValidationError, match=said):
        model.model_validate(row)


@pytest.mark.parametrize("rows", [trl_sft, trl_dpo, openai_sft, openai_dpo])
def test_a_rejected_draft_is_no_row_to_imitate(rows):
    """Nobody said what is right instead."""
    assert list(rows(lesson_of(rejected()))) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"file_format": "csv"},
            "no training format 'csv'; there is trl-sft, trl-dpo, trl-kto, openai-sft, openai-dpo",
        ),
        ({"include": ("audits",)}, "include='audits' is not how an answer comes about; there is accepted, prefilled"),
    ],
)
def test_a_format_or_a_tag_that_there_is_not_is_refused_with_those_that_there_are(options, said):
    """A typing error does not leave out what was meant to be learnt from."""
    with pytest.raises(ConfigError, match=said):
        files(*ALL, **options)


def test_the_folder_appears_whole_or_not_at_all(tmp_path):
    found = files(*ALL)
    found.write(tmp_path / "new" / "out")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").write_text("keep")
    with pytest.raises(ConfigError, match="give a new folder"):
        found.write(tmp_path / "taken")

    assert {path.name: path.read_bytes() for path in (tmp_path / "new" / "out").iterdir()} == found.bodies()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and "out" not in path.parts] == ["mine"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "taken"]


def test_where_a_file_cannot_be_written_to_its_end_there_is_no_folder(tmp_path):
    """The system stops the second file at 500 bytes, as a full disk would."""
    found = files(*(decided(f"n{number}") for number in range(50)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(ConfigError, match="no files were written"):
            found.write(tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "outcomes"
    kept = FolderStore(folder)
    for outcome in (*ALL, hasty()):
        kept.put_once(outcome_key(outcome), outcome.stored)
    kept.put_once("outcomes/v1/task=invoices/dt=2026-01-02/bad.json", b"{")
    return f"folder:{folder}"


def test_the_command_writes_the_files_and_tells_what_it_left_out(store, tmp_path, capsys):
    out = tmp_path / "training"
    arguments = ["export", "--store", store, "--task", "invoices", "--format", "trl-sft", "--holdout", "0"]
    with pytest.raises(SystemExit) as dry:
        main([*arguments, "--dry-run"])
    assert not out.exists()
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--out", str(out)])

    assert (dry.value.code, done.value.code) == (0, 0)
    assert len((out / "train.jsonl").read_text("utf-8").splitlines()) == 2
    told = capsys.readouterr().out
    assert "2 rows to train on and 0 to validate on would be written." in told
    assert f"written to {out}" in told
    assert "approved sooner than it can be read" in told
    assert "bad.json" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "trl-sft"], "give a new folder for the files"),
        (["--format", "trl-sft", "--dry-run", "--holdout", "1"], "holdout=1.0 is no share"),
        (["--format", "csv", "--dry-run"], "Invalid value"),
        (["--format", "trl-sft", "--dry-run", "--task", "invoice"], "no outcome of task 'invoice' is stored"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_written(store, capsys, arguments, said):
    with pytest.raises(SystemExit) as done:
        main(["export", "--store", store, *([] if "--task" in arguments else ["--task", "invoices"]), *arguments])

    assert done.value.code in (1, 2)
    assert said in capsys.readouterr().err
