"""Batches without any provider: files of cases, answer types, keys, and lines of JSON."""

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hitl_prefect import cases_from_jsonl
from hitl_prefect.batch_protocol import BatchLimits, BatchLook, BatchResult, FoundBatches
from hitl_prefect.batch_records import BatchRecord, Draft, Drafts, Submission, Turn
from hitl_prefect.batching import SubmittedBatch, answer_types, check_ids, fetch, place
from hitl_prefect.errors import ConfigError
from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.protocols import Reply
from hitl_prefect.providers._batch_wire import json_lines
from hitl_prefect.stores import FolderStore
from tests.unit.making import NOON


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


async def test_empty_lines_are_no_lines():
    """Some servers keep a connection alive with them."""

    async def chunks():
        yield b'\n{"a": 1}\n\r\n  \n'
        yield b'{"b": 2}\n \n '

    assert [line async for line in json_lines(chunks())] == [{"a": 1}, {"b": 2}]


class ScriptedBatches:
    """A batch endpoint that answers each case with a text, and may do something else before it takes a batch."""

    limits = BatchLimits(requests=10, size_bytes=10_000)

    def __init__(self, *texts, models=("gpt-4.1", "gpt-4.1"), before=None):
        self.texts, self.models, self.before, self.made = texts, models, before, []

    async def prepare(self):
        if self.before is not None:
            await self.before()

    def line(self, custom_id, _request):
        return custom_id.encode()

    async def upload(self, *_asked):
        return None

    async def create(self, _key, lines, _uploaded):
        self.made.append([line.decode() for line in lines])
        return f"batch_{len(self.made)}"

    async def find(self, _sought):
        return FoundBatches()

    async def look(self, _batch_id):
        return BatchLook(ended=True, status="ended", ended_at=NOON, results=len(self.texts))

    async def results(self, _batch_id):
        for custom_id, text, model in zip(self.made[0], self.texts, self.models, strict=True):
            yield BatchResult(custom_id=custom_id, reply=Reply(text=text, finish="stop", model=model))


CASES = tuple(Case(id=f"c{n}", task="mail", prompt="Who?", answer=str) for n in range(2))


async def nobody():
    return frozenset()


async def opened(tmp_path):
    """The record of two cases, in a store of its own."""
    asked = Submission.of(CASES, "openai:gpt-4.1")
    record = BatchRecord(FolderStore(tmp_path), asked.key)
    await record.open(asked)
    return record, asked


async def test_whoever_is_a_moment_late_leaves_the_batch_to_the_other(tmp_path):
    """Both found the record without any turn: the store lets one of them have it, and the cases are paid for once."""
    record, asked = await opened(tmp_path)

    async def another_takes_the_turn():
        assert await record.take(Turn(number=1, owner="another", at=NOON))

    batches = ScriptedBatches(before=another_takes_the_turn)
    found = await place(record, asked, CASES, batches, claimed=nobody)

    assert (found, batches.made) == (
        SubmittedBatch(
            key=asked.key, status="in_doubt", requests=2, detail="another process has just begun to submit it"
        ),
        [],
    )


async def test_what_was_not_submitted_cannot_be_fetched(tmp_path):
    record, asked = await opened(tmp_path)

    with pytest.raises(ConfigError, match="was not submitted yet; there is nothing to fetch"):
        await fetch(record, asked, CASES, ScriptedBatches(), provider="openai")


async def test_drafts_that_fit_no_case_are_refused_with_what_to_delete(tmp_path):
    """One draft too few would be handed over as that of another case."""
    record, asked = await opened(tmp_path)
    await record.keep(Drafts(drafts=(Draft(draft=None, problem="expired"),)))

    with pytest.raises(
        ConfigError, match=r"has 2 cases and 1 drafts: its drafts\.json was changed; delete that object"
    ):
        await fetch(record, asked, CASES, ScriptedBatches(), provider="openai")


async def test_a_reply_that_no_store_can_hold_costs_no_other_case(tmp_path):
    """Half of a character in the model's name: that case is asked anew, and the other draft is kept."""
    record, asked = await opened(tmp_path)
    batches = ScriptedBatches(*['{"answer": "ada", "confidence": 0.9}'] * 2, models=("gpt-\ud800", "gpt-4.1"))
    await place(record, asked, CASES, batches, claimed=nobody)
    found = await fetch(record, asked, CASES, batches, provider="openai")

    assert isinstance(found, Drafts)
    assert found.drafts[0] == Draft(draft=None, problem="the reply cannot be read")
    assert (found.drafts[1].draft.answer, found.strange) == ("ada", 0)
    assert await record.drafts() == found


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="there are no cases to submit"):
        check_ids(())
