"""`hitl inbox`, `show`, `answer` and `doctor` against a real server, as a reviewer runs them."""

import json

import pytest
from prefect.settings import PREFECT_UI_URL, temporary_settings

from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.terminal import hitl

CAREFUL = {"min_confidence": 0.9}
DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}


@pytest.fixture(scope="module")
def waiting(resident):
    """A run that waits for a person for as long as this module runs."""
    document, model = "a document for the command line", resident.drafting(DRAFT)
    return resident.start(extract_invoice, document=document, policy=CAREFUL, model=model)


@pytest.fixture
def run_hitl(resident):
    """Runs one command as a user of this server."""
    return lambda *words: hitl(resident.server.api_url, *words)


def test_the_inbox_names_what_waits_and_where_to_answer(resident, run_hitl, waiting):
    """For people a table, for programs JSON with the same facts."""
    listed = json.loads(run_hitl("inbox", "--json").out)["waiting"]
    (mine,) = [one for one in listed if one["run_id"] == waiting]

    assert (mine["task"], mine["reason"], mine["confidence"]) == ("invoices", "below_bar", 0.6)
    assert mine["url"] == f"{resident.server.ui_url}/v2/runs/flow-run/{waiting}"
    assert mine["url"] in run_hitl("inbox").out


def test_show_prints_the_draft_and_the_decisions_that_are_offered(resident, run_hitl, waiting):
    """By the run's name as well as by its id."""
    shown = run_hitl("show", resident.run(waiting)["name"])

    assert '"vendor": "ACME"' in shown.out
    assert "approve, edit, reject, retry" in shown.out
    assert json.loads(run_hitl("show", waiting, "--json").out)["form_schema"]["required"] == ["decision"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["answer", "no-such-run", "--decision", "approve"], 1, "0 flow runs are named 'no-such-run'"),
        (["show", "00000000-0000-0000-0000-000000000000"], 1, "`hitl inbox` lists what waits"),
        (["answer", "RUN", "--decision", "aprove"], 2, 'Choose from: "approve"'),
        (["answer", "RUN", "--decision", "escalate"], 1, "choose one of approve, edit, reject"),
        (["answer", "RUN", "--decision", "edit", "--answer", '{"vendor": "A", "total": -1}'], 1, "minimum of 0"),
        (["anser"], 2, 'Did you mean "answer"?'),
    ],
    ids=["unknown name", "unknown id", "misspelt", "not offered", "out of bounds", "unknown command"],
)
def test_a_mistake_is_named_and_changes_nothing(resident, run_hitl, waiting, arguments, code, says):
    """1 for what failed, 2 for wrong usage; the run goes on waiting."""
    done = run_hitl(*[waiting if one == "RUN" else one for one in arguments])

    assert (done.code, says in done.err, resident.state(waiting)) == (code, True, "Suspended"), done.err


def test_an_answer_is_taken_once(resident, run_hitl, document):
    """The second reviewer is told that somebody was faster."""
    run = resident.start(extract_invoice, document=document, policy=CAREFUL, model=resident.drafting(DRAFT))
    first = run_hitl("answer", run, "--decision", "approve", "--reviewer", "ada", "--reason", "seen", "--json")
    second = run_hitl("answer", run, "--decision", "reject")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    (verdict,) = outcome["review"]["verdicts"]
    assert json.loads(first.out)["decision"] == "approve"
    assert (second.code, "does not wait for a person" in second.err) == (1, True)
    assert (verdict["reviewer"], verdict["channel"], verdict["reason"]) == ("ada", "cli", "seen")


def test_another_draft_than_the_one_that_was_seen_is_not_answered(resident, run_hitl, waiting):
    """`show` names the draft, and `answer --draft` holds to it."""
    done = run_hitl("answer", waiting, "--draft", "000000000000", "--decision", "approve")

    assert (done.code, "no longer the one that waits" in done.err) == (1, True)
    assert resident.state(waiting) == "Suspended"
    assert f"--draft {resident.form(waiting)['x-hitl-draft-sha256'][:12]}" in run_hitl("show", waiting).out


def test_approve_must_name_what_it_approves(resident, waiting):
    """A bare approve over the API is refused: between looking and answering the draft may have changed."""
    bare = resident.resume(waiting, decision="approve")
    stale = resident.resume(waiting, decision="approve", draft_sha256="0" * 64)

    assert (bare, stale, resident.state(waiting)) == ("REJECT", "REJECT", "Suspended")


def test_without_a_server_the_message_says_what_to_do():
    """No traceback, and the address that was tried."""
    done = hitl("http://127.0.0.1:9/api", "inbox")

    assert (done.code, done.err) == (
        1,
        "hitl: no Prefect server answers at http://127.0.0.1:9/api: start one (`prefect server start`) or set "
        "PREFECT_API_URL\n",
    )


def test_doctor_races_a_store_and_says_what_follows(resident, run_hitl, ceph, monkeypatch, tmp_path):
    """Ceph and a folder let one writer win; a bucket that is not there is a failure with its name."""
    for name, value in ceph.env.items():
        monkeypatch.setenv(name, value)
    bucket = ceph.store(ceph.new_bucket()).url
    with temporary_settings({PREFECT_UI_URL: resident.server.ui_url}):
        good = run_hitl("doctor", bucket, f"folder:{tmp_path}", "--json")
        bad = run_hitl("doctor", bucket.replace("s3://test-", "s3://missing-"))

    found = {check["what"]: check["state"] for check in json.loads(good.out)["checks"]}
    of_server = ("packages", "server", "access", "links", "clock", "pause expiry", "results", "limits")
    # Without a password, whoever reaches the server can answer.
    assert {what: found[what] for what in of_server} == {**dict.fromkeys(of_server, "ok"), "access": "warn"}, good.out
    assert (found[f"store {bucket.partition('?')[0]}"], "create-if-absent is atomic" in good.out) == ("ok", True), (
        good.out
    )
    assert (bad.code, "missing-" in bad.out) == (1, True)
