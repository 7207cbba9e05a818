"""Every parser, whatever it is given, ends: with a value, or with an error of ours that says what to do."""

import asyncio
import gzip
import io
import json
import os
from contextlib import suppress

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from pydantic import JsonValue

from hitl_prefect.answer_files import answer_in_file, answer_in_words
from hitl_prefect.answer_names import answer_named
from hitl_prefect.answers import AnswerType, Reading
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.case_lines import BadLine
from hitl_prefect.detached.asked import Detached
from hitl_prefect.detached.parameters import ReviewParameters, thaw
from hitl_prefect.errors import AnswerRefused, ConfigError, HitlError, StoreDenied
from hitl_prefect.gathering import gather
from hitl_prefect.hosts import host_of
from hitl_prefect.keys import key_files, make_key, private_key
from hitl_prefect.learning import read_model
from hitl_prefect.models import Attempt, Case
from hitl_prefect.outcomes import Outcome, index_key, outcome_key
from hitl_prefect.policy import Policy
from hitl_prefect.policy_files import read_policy
from hitl_prefect.policy_versions import newest
from hitl_prefect.protocols import Reply, Store
from hitl_prefect.providers import provider_for
from hitl_prefect.providers._chat import ChatBody, chat_reply
from hitl_prefect.providers._claude import MessageBody, message_reply
from hitl_prefect.providers._events import json_object
from hitl_prefect.providers._exchange import Answered, read_as
from hitl_prefect.providers._responses import ResponsesBody, responses_reply
from hitl_prefect.providers._wire import CutOff
from hitl_prefect.reading import Unreadable, read_outcomes
from hitl_prefect.selecting import Selection
from hitl_prefect.sources import read_cases
from hitl_prefect.stores import store_for
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.storing import save_outcome  # noqa: F401 - imports the floors above once, outside of any deadline
from hitl_prefect.verifying import verify_store
from tests.unit.making import a_case, a_generation, a_review, a_route, a_score, an_outcome
from tests.unit.security.fuzzing import JSON, NASTY, almost, fuzzed, named_in
from tests.unit.test_bounds import Note, form_of

LINE = {
    "id": "c1",
    "messages": [{"role": "user", "content": ["What is it?", {"url": "https://example.com/a.png"}]}],
    "metadata": {"amount": 12.5, "vip": True},
    "requester": "eve",
}
TEXT = st.text(max_size=80) | NASTY


def _read(path):
    return list(read_cases(path, task="mail"))


@fuzzed()
@given(st.lists(named_in(LINE).map(lambda raw: raw.replace(b"\n", b" ")), max_size=4))
def test_every_line_of_a_case_file_is_a_case_or_a_bad_line(tmp_path, lines):
    """None is lost, none ends the reading, and whatever is a case can be stored."""
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"\n".join(lines))

    found = _read(path)

    filled = [one for one in path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n") if _is_filled(one)]
    assert len(found) == len(filled)
    assert all(isinstance(one, BadLine) or canonical_bytes(one[1]) for one in found)


def _is_filled(line):
    return bool(line.decode("utf-8", "backslashreplace").strip())


@fuzzed()
@given(st.sampled_from([".csv", ".csv.gz", ".jsonl.gz", ".parquet"]), st.binary(max_size=80), st.booleans())
def test_a_damaged_file_of_cases_is_named(tmp_path, ending, spoilt, inside):
    path = tmp_path / f"cases{ending}"
    whole = _whole(ending)
    path.write_bytes(whole[: len(whole) // 2] + spoilt + whole[len(whole) // 2 + len(spoilt) :] if inside else spoilt)
    with suppress(ConfigError):
        assert all(isinstance(one, BadLine) or isinstance(one[1], Case) for one in _read(path))


def _whole(ending):
    rows = b'id,prompt\nc1,"Who?"\nc2,"What?"\n'
    if ending == ".parquet":
        file = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist([{"id": f"c{n}", "prompt": "Who?"} for n in range(50)]), file)
        return file.getvalue()
    plain = rows if ".csv" in ending else json.dumps(LINE).encode()
    return gzip.compress(plain, mtime=0) if ending.endswith(".gz") else plain


@fuzzed()
@given(TEXT | JSON.map(json.dumps))
def test_an_answer_in_a_file_is_a_value_or_refused(text):
    for form in (form_of(str, "draft"), form_of(Note, {"title": "t", "lines": []})):
        for read in (answer_in_file, answer_in_words):
            with suppress(AnswerRefused):
                read(form, text)


@fuzzed()
@given(
    TEXT
    | almost({"min_confidence": 0.9, "rules": [{"field": "total", "above": 1}], "fallback": {"a": 1}}).map(json.dumps)
    | st.lists(
        st.sampled_from(["fallback: &a [*a]", "? [", "- ", "a: !!int x", "x: 2020-99-99", "<<: *a", "&a a"])
    ).map("\n".join)
)
def test_a_policy_file_is_a_policy_or_named(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(ConfigError):
        assert isinstance(read_policy(path), Policy)


@pytest.mark.parametrize(
    "fallback",
    ["*i", "[" * 500 + "]" * 500, "9" * 5000, "2020-99-99", "!!python/object/apply:os.system ['true']"],
    ids=["a thousand million values", "depth", "digits", "no day", "a call"],
)
def test_a_policy_file_that_would_have_the_reader_work_for_ever_is_refused(tmp_path, fallback):
    """Ten lines of YAML name each other nine times a line."""
    lines = [f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 9)}]" for name in "bcdefghi"]
    path = tmp_path / "policy.yaml"
    path.write_text("\n".join(["a: &a [x]", *lines, "on_deadline: fallback", f"fallback: {fallback}"]))

    with pytest.raises(ConfigError, match=r"policy.yaml"):
        read_policy(path)


OUTCOME = json.loads(canonical_bytes(an_outcome(review=a_review())))


@fuzzed()
@given(named_in(OUTCOME))
def test_a_stored_outcome_is_read_or_named_by_every_reader(tmp_path_factory, stored):
    """Reports, exports and `hitl verify` go on, whoever has written into the store."""
    store, whole = FolderStore(tmp_path_factory.mktemp("store")), an_outcome(review=a_review())
    key = outcome_key(whole)
    index = index_key(whole.case.task, whole.case.id)
    store.write(key, stored)
    store.write(index, canonical_bytes({"key": key, "sha256": "0" * 64}))

    [read] = read_outcomes(store)

    assert isinstance(read, Outcome) or (isinstance(read, Unreadable) and read.key == key)
    assert len(gather(store).evidence) + len(gather(store).unreadable) == 1
    assert verify_store(store, {}).findings


@fuzzed()
@given(named_in({"key": "outcomes/v1/task=invoices/dt=2026-01-02/c1.json", "sha256": "0" * 64}))
def test_an_index_entry_that_leads_elsewhere_is_a_finding(tmp_path_factory, stored):
    """Also one that points out of the store."""
    store = FolderStore(tmp_path_factory.mktemp("store"))
    store.write(index_key("invoices", "c1"), stored)

    assert verify_store(store, {}).findings


@fuzzed()
@given(named_in({"schema": "hitl.classifier/v1", "task": "support", "labels": ["a", "b"], "words": ["w"]}))
def test_a_numbered_object_that_somebody_else_wrote_is_refused(tmp_path_factory, stored):
    """A classifier, and the bar that is in force."""
    store = FolderStore(tmp_path_factory.mktemp("store"))
    store.write("models/v1/task=support/000001.json", stored)
    store.write("policies/v1/task=support/000001.json", stored)

    with pytest.raises(ConfigError):
        read_model(store, "support")
    with pytest.raises(StoreDenied):
        newest(store, "support")


@fuzzed()
@given(TEXT | JSON.map(lambda value: json.dumps({"answer": value, "confidence": 0.5})))
def test_a_model_s_text_is_read_or_told_in_words(text):
    for answer in (str, int, float, bool, Note, dict[str, JsonValue], list[int]):
        read = AnswerType(answer).read(text)

        assert isinstance(read, Reading)
        assert read.problems or canonical_bytes(read.answer)


BODIES = {
    ChatBody: (
        chat_reply,
        {"model": "m", "choices": [{"index": 0, "message": {"content": "{}"}, "finish_reason": "stop"}]},
    ),
    MessageBody: (
        message_reply,
        {"model": "m", "content": [{"type": "text", "text": "{}"}], "stop_reason": "end_turn"},
    ),
    ResponsesBody: (
        responses_reply,
        {
            "model": "m",
            "status": "completed",
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "{}"}]}],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
    ),
}


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
def test_a_model_server_s_body_is_a_reply_or_cut_off(kind):
    reply, whole = BODIES[kind]

    @fuzzed()
    @given(named_in(whole) | st.just(b"[" * 100_000))
    def read(body):
        with suppress(CutOff):
            found = reply(Answered(read_as(kind, json_object(body)), "r1"), "m")
            assert isinstance(found, Reply)

    read()


@fuzzed()
@given(
    TEXT
    | st.builds("{}:{}".format, st.sampled_from(["folder", "s3", "S3", "s3://bucket", "s3://[", "http"]), TEXT)
    | st.builds("s3://{}?{}={}".format, TEXT, st.sampled_from(["endpoint_url", "verify", "region", "x"]), TEXT)
)
def test_the_url_of_a_store_is_a_store_or_refused(url):
    with suppress(ConfigError):
        assert isinstance(store_for(url), Store)
    with suppress(ConfigError):
        read_cases(url, task="mail")
    with suppress(HitlError):
        provider_for(f"embedded:{url}")
    assert host_of(url) is None or "/" not in host_of(url)


@fuzzed()
@given(st.binary(max_size=60) | NASTY.map(str.encode), st.booleans())
def test_a_key_file_opens_or_is_named(tmp_path_factory, spoilt, inside):
    """And nothing of it stands in the message."""
    folder = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HITL_KEYS", str(folder))
        path = make_key("ada").path
        whole = path.read_bytes()
        path.write_bytes(whole[:80] + spoilt + whole[80 + len(spoilt) :] if inside else spoilt)
        os.utime(path, ns=(hash(spoilt) % 10**18,) * 2)
        for read in (lambda: private_key("ada"), key_files):
            try:
                read()
            except ConfigError as exc:
                assert whole.split(b"\n")[2].decode()[20:] not in str(exc)  # noqa: PT017 - most open


@fuzzed()
@given(TEXT)
def test_a_selection_is_understood_or_refused(text):
    with suppress(ConfigError):
        Selection(text).matches({"task": "t", "confidence": 0.5})


@fuzzed()
@given(TEXT | st.sampled_from([".a:b", "os:system", "subprocess:getoutput", "one of [[1]]", "one of {}", "json:loads"]))
def test_a_name_of_an_answer_type_is_a_type_or_refused(name):
    """It stands in the parameters of a review: a function would be called with what somebody answers."""
    with suppress(ConfigError):
        found = answer_named(name)
        assert not callable(found) or isinstance(found, type) or name.startswith("one of ")


def _packed():
    case = a_case(answer=str)
    attempt = Attempt(
        generation=a_generation(answer="yes", text='{"answer": "yes"}'),
        score=a_score(),
        route=a_route(action="review", reason="below_bar", propensity=1.0),
    )
    return Detached(case=case, attempt=attempt, policy=Policy(), model="openai:m", store="folder:x").packed()


@fuzzed()
@given(named_in(_packed()))
def test_a_review_that_was_changed_after_it_was_opened_does_not_apply(body):
    """Its draft is named by its sha256; what does not fit is refused in words."""
    asked = body.decode("utf-8", "replace")
    with suppress(HitlError):
        found = asyncio.run(thaw(ReviewParameters(case="c1", task="invoices", store="folder:x", asked=asked)))
        assert found.attempt.generation.sha256 == a_generation(answer="yes", text='{"answer": "yes"}').sha256
