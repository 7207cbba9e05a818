"""Batches without any provider: files of cases, answer types, keys, and lines of JSON."""

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hitl_prefect import cases_from_jsonl
from hitl_prefect.batch_records import Submission
from hitl_prefect.batching import answer_types
from hitl_prefect.errors import ConfigError
from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.providers._batch_wire import json_lines


class Invoice(BaseModel):
    vendor: str


def submission(*answers):
    cases = tuple(Case(id=f"c{n}", task="mail", prompt="Who?", answer=one) for n, one in enumerate(answers))
    return Submission.of(cases, "openai:gpt-4.1")


def test_a_file_of_cases_is_read(tmp_path):
    """Metadata is optional, empty lines are skipped, instructions come first."""
    path = tmp_path / "cases.jsonl"
    path.write_text('{"id": "a", "prompt": "One\u2028line?"}\n\n{"id": "b", "prompt": "B?", "metadata": {"n": 1}}\n')

    system = Message(role="system", content="Be brief.")
    assert cases_from_jsonl(path, task="mail", instructions="Be brief.") == (
        Case(id="a", task="mail", prompt=(system, Message(role="user", content="One\u2028line?"))),
        Case(id="b", task="mail", prompt=(system, Message(role="user", content="B?")), metadata={"n": 1}),
    )


def test_every_bad_line_is_named_by_its_number(tmp_path):
    """All at once, so that a file is mended in one go."""
    path = tmp_path / "cases.jsonl"
    lines = ['{"id": "a", "prompt": "A?"}', "{half", '{"id": "../x", "prompt": "B?"}', '{"id": "a", "prompt": "C?"}']
    path.write_text("\n".join([*lines, '{"id": "d"}', '{"id": "e", "prompt": "E?", "answer": "x"}']))
    with pytest.raises(ConfigError) as refused:
        cases_from_jsonl(path, task="mail")

    first, *rest = str(refused.value).split("\n")
    assert first == f"5 lines of {str(path)!r} do not fit:"
    assert [line.split(":")[0] for line in rest] == ["line 2", "line 3", "line 5", "line 6", "line 4"]
    assert rest[-1] == "line 4: id 'a' stands in line 1 too"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read cases from .*nowhere\.jsonl"):
        cases_from_jsonl(tmp_path / "nowhere.jsonl", task="mail")


@pytest.mark.parametrize("answer", [str, int, float, bool, Literal["a", "b"], Literal["a"], Literal[1, 2]])
def test_a_plain_answer_type_comes_back_from_its_schema(answer):
    kept = Submission.model_validate_json(submission(answer).model_dump_json())

    assert [case.answer for case in kept.typed(answer_types(kept, ())) or ()] == [answer]


@pytest.mark.parametrize("answer", [Invoice, list[str], dict[str, int], str | None])
def test_any_other_answer_type_has_to_be_given(answer):
    kept = Submission.model_validate_json(submission(str, answer).model_dump_json())

    assert kept.typed(answer_types(kept, ())) is None
    assert [case.answer for case in kept.typed(answer_types(kept, [answer])) or ()] == [str, answer]


def test_the_key_names_model_cases_and_answer_types():
    """Anything else that is asked is another batch."""
    keys = {
        submission(str).key,
        submission(bool).key,
        submission(str, str).key,
        Submission.of((Case(id="c0", task="mail", prompt="When?"),), "openai:gpt-4.1").key,
        Submission.of((Case(id="c0", task="mail", prompt="Who?"),), "openai:gpt-4.2").key,
    }

    assert (len(keys), submission(str).key) == (5, submission(str).key)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=8))), st.integers(1, 7))
async def test_lines_are_whole_wherever_the_network_cuts_them(objects, size):
    """Chunks of any size, with and without a line feed at the end."""
    body = "\n".join(json.dumps(one, ensure_ascii=False) for one in objects).encode("utf-8", "surrogatepass")

    async def chunks():
        for start in range(0, len(body), size):
            yield body[start : start + size]

    assert [line async for line in json_lines(chunks())] == objects
