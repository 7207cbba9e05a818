"""Bad input through every door: it gets a clear message, changes nothing, and loses nothing that was typed."""

import json

import pytest

from hitl_prefect.bounds import MAX_TYPED_BYTES
from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.terminal import hitl
from tests.servers.prefect import post

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
BIG = "x" * 10_000_000
THREE = {"reviewers": ["ada", "bob", "eve"]}


@pytest.fixture(scope="module")
def waiting(resident):
    """A run that waits for one of three as long as this module runs: whatever is refused before it is taken."""
    return resident.start(extract_invoice, document="never answered", policy=THREE, model=resident.drafting(DRAFT))


def deep(levels):
    return '{"a":' * levels + "1" + "}" * levels


def edit(**changes):
    return json.dumps(DRAFT | changes)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["edit", edit(total="much")], "total: 'much' is not of type 'number'"),
        (["edit", edit(total=-1)], "total: -1 is less than the minimum of 0"),
        (["edit", "{}"], "'vendor' is a required property"),
        (["edit", '{"vendor": "A"'], "answer: this is no JSON: EOF while parsing an object at line 1 column 14"),
        (["edit", '{"vendor": "A", "total": NaN}'], "answer: this is no JSON: expected value at line 1 column 26"),
        (["edit", '{"vendor": "A", "total": 1e999}'], "answer: NaN and infinity are no numbers that JSON can say"),
        (["edit", f'{{"vendor": "A", "total": 1, "notes": {deep(100)}}}'], "more than 64 lists and objects"),
        (["edit", f'{{"vendor": "A", "total": 1, "notes": {deep(10_000)}}}'], "recursion limit exceeded"),
        (["edit", edit(notes={"a": BIG})], f"bytes are too many, at most {MAX_TYPED_BYTES:,}; shorten it"),
        (["edit", b'{"vendor": "\xff"}'], "is no UTF-8: save the file as UTF-8"),
        (["edit", None], "answer: edit needs an answer"),
        (["escalate", None], "decision: choose one of approve, edit, reject, retry"),
        (["retry", None], "guidance: retry needs a word on what the next attempt should do better"),
        (["reject", None, "--reviewer", "mallory"], "reviewer: this form is for ada, bob, eve"),
        (["reject", None, "--reviewer", ""], "reviewer: this form is for ada, bob, eve"),
        (["approve", None, "--draft", "0000"], "draft 0000 is no longer the one that waits"),
        (["reject", None, "--reason", "x" * 1_000_001], "reason: 1,000,1"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_the_command_line_refuses_before_anything_is_sent(resident, waiting, tmp_path, typed, says):
    """One line on what is wrong, exit code 1, and the run goes on waiting."""
    decision, written, *more = typed
    if written is not None:
        path = tmp_path / "answer.json"
        path.write_bytes(written if isinstance(written, bytes) else written.encode())
        more = [*more, "--answer-file", str(path)]
    who = [] if "--reviewer" in more else ["--reviewer", "ada"]
    done = hitl(resident.server.api_url, "answer", waiting, "--decision", decision, *who, *more)

    assert (done.code, says in done.err, len(done.err) < 500) == (1, True, True), done.err[:2000]
    assert resident.state(waiting) == "Suspended"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (
            '{"decision": "reject", "colour": "red", "reviewer": "ada"}',
            200,
            "'colour' does not match any of the regexes",
        ),
        ('{"decision": "aprove", "reviewer": "ada"}', 200, "'aprove' is not one of"),
        ('{"decision": "reject"}', 200, "'reviewer' is a required property"),
        ('{"decision": "reject", "reviewer": "mallory"}', 200, "'mallory' is not one of"),
        ('{"decision": "approve", "reviewer": "ada"}', 200, "'draft_sha256' is a required property"),
        (
            '{"decision": "reject", "reviewer": "ada", "round": "another/1/1"}',
            200,
            "field 'round'",
        ),
        (
            '{"decision": "edit", "answer": {"vendor": "A", "total": "x"}, "reviewer": "ada"}',
            200,
            "'answer.total'",
        ),
        ('{"decision": "reject", "reason": {"__prefect_kind": "jinja", "template": "{{"}}', 200, "hydrating"),
        ('{"decision": "reject"', 422, "JSON decode error"),
        (b'{"decision": "reject", "reason": "\xff"}', 400, "error parsing the body"),
        (f'{{"decision": "edit", "answer": {deep(10_000)}}}', 400, "error parsing the body"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else "",
)
def test_the_server_refuses_what_the_form_does_not_allow(resident, waiting, body, status, says):
    """The same rules for whoever speaks REST, as Prefect words them; the run goes on waiting."""
    content = b'{"run_input": ' + (body if isinstance(body, bytes) else body.encode()) + b"}"
    headers = {"Content-Type": "application/json"}
    told = resident.api.post(f"/flow_runs/{waiting}/resume", content=content, headers=headers)

    assert (told.status_code, says in told.text) == (status, True), told.text[-600:]
    assert resident.state(waiting) == "Suspended"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"decision": "edit", "answer": {"vendor": " ", "total": 1}}', "vendor: Value error, a vendor has a name"),
        ('{"decision": "edit", "answer": {"vendor": "A", "total": NaN}}', "total: Input should be a valid number"),
        (
            f'{{"decision": "edit", "answer": {{"vendor": "A", "total": 1, "notes": {deep(250)}}}}}',
            "answer: more than 64 lists and objects stand inside each other; make it flatter",
        ),
        (
            json.dumps({"decision": "edit", "answer": DRAFT | {"notes": {"a": BIG}}, "reason": "all of it"}),
            "answer: 10,000,0",
        ),
        ('{"decision": "retry"}', "guidance: retry needs a word"),
    ],
    ids=["the type's own rule", "NaN", "250 levels", "10 MB", "no guidance"],
)
def test_what_only_the_flow_can_refuse_is_asked_again(resident, ask, body, says):
    """With the error above the form. What was typed stays readable: in the form, or where Prefect keeps it whole."""
    run = ask()
    key = resident.run(run)["state"]["state_details"]["run_input_keyset"]["response"]
    sent = post(resident.api, f"/flow_runs/{run}/resume", f'{{"run_input": {body}}}'.encode(), timeout=60)
    sent.raise_for_status()
    resident.go_on(run)
    told, size = resident.description(run), len(json.dumps(resident.form(run)))
    whole = resident.api.get(f"/flow_runs/{run}/input/{key}", timeout=60).json()
    resident.answer(run, decision="reject")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    cut = outcome["review"]["refused_answers"][0]["typed"].get("cut")
    assert (says in told, size < 10_000, len(json.dumps(outcome)) < 20_000) == (True, True, True), told[:2000]
    assert cut is None or (key in told, whole) == (True, json.loads(body))


@pytest.mark.parametrize("row", ["[1]", '"x"', '{"decision": "approve", "answer": DRAFT, "signature": 5}'])
def test_a_row_that_no_form_would_have_made_is_asked_again(resident, ask, row):
    """Whoever writes into the database past the form does not end the run, and their answer does not count."""
    run = ask()
    key = resident.run(run)["state"]["state_details"]["run_input_keyset"]["response"]
    value = row.replace("DRAFT", json.dumps(DRAFT))
    resident.api.post(f"/flow_runs/{run}/input", json={"key": key, "value": value}).raise_for_status()
    resident.force(run, "Resuming", "SCHEDULED")
    state, told = resident.go_on(run), resident.description(run)

    assert (state, "The last answer did not apply" in told, resident.outcomes(run)) == ("Suspended", True, [])


def test_what_was_cut_is_not_filled_in_and_what_was_not_is(resident, ask):
    """After an answer that was too long, the fields hold the draft again, and the reason that was given."""
    run = ask()
    resident.answer(run, decision="edit", answer=DRAFT | {"vendor": BIG}, reason="all of it")
    resident.go_on(run)

    fields = resident.form(run)["properties"]
    assert (fields["answer"]["default"]["vendor"], fields["reason"]["default"]) == ("ACME", "all of it")
    assert "characters are hidden here" in " ".join(resident.description(run).split())


def test_a_decision_for_one_time_of_asking_never_serves_the_next(resident, ask):
    """The draft is the same, but the first of two has answered since: who looked before is asked to look again."""
    run = ask(quorum=2)
    seen = resident.form(run)["x-hitl-round"]
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)
    late = resident.answer(run, decision="approve", reviewer="bob", round=seen)

    assert (late["status"], "field 'round'" in late["details"]["reason"]) == ("REJECT", True)
    assert resident.state(run) == "Suspended"


def test_templates_that_a_person_typed_arrive_to_the_letter(resident, ask):
    """`hitl answer` sends `__prefect_kind` so that the server evaluates nothing."""
    run, template = ask(), {"x": {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}}
    done = hitl(resident.server.api_url, "answer", run, "--decision", "edit", "--answer", edit(notes=template))
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    assert (done.code, outcome["final_answer"]["notes"]) == (0, template), done.err
