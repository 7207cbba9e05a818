"""`hitl inbox`, `show`, `answer` and `doctor` against a real server, as a reviewer runs them."""

import json

import pytest

CAREFUL = {"min_confidence": 0.9}


@pytest.fixture(scope="module")
def waiting(site):
    """A run that waits for a person for as long as this module runs."""
    deployment = site.deploy("invoices.py:extract_invoice")
    run = site.start(deployment, document="a document for the command line", policy=CAREFUL)
    site.wait_for_question(run)
    return run


def test_the_inbox_names_what_waits_and_where_to_answer(site, waiting):
    """For people a table, for programs JSON with the same facts."""
    listed = json.loads(site.hitl("inbox", "--json").stdout)["waiting"]
    (mine,) = [one for one in listed if one["run_id"] == waiting]

    assert (mine["task"], mine["reason"], mine["confidence"]) == ("invoices", "below_bar", 0.6)
    assert mine["url"] == f"{site.server.ui_url}/v2/runs/flow-run/{waiting}"
    assert mine["url"] in site.hitl("inbox").stdout


def test_show_prints_the_draft_and_the_decisions_that_are_offered(site, waiting):
    """By the run's name as well as by its id."""
    name = site.run(waiting)["name"]
    shown = site.hitl("show", name)

    assert '"vendor": "ACME"' in shown.stdout
    assert "approve, edit, reject, retry" in shown.stdout
    assert json.loads(site.hitl("show", waiting, "--json").stdout)["form_schema"]["required"] == ["decision"]


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
def test_a_mistake_is_named_and_changes_nothing(site, waiting, arguments, code, says):
    """1 for what failed, 2 for wrong usage; the run goes on waiting."""
    done = site.hitl(*[waiting if one == "RUN" else one for one in arguments])

    assert (done.returncode, says in done.stderr, site.state(waiting)) == (code, True, "Suspended"), done.stderr


def test_an_answer_is_taken_once(site, document):
    """The second reviewer is told that somebody was faster."""
    run = site.start(site.deploy("invoices.py:extract_invoice"), document=document, policy=CAREFUL)
    site.wait_for_question(run)
    first = site.hitl("answer", run, "--decision", "approve", "--reviewer", "ada", "--reason", "seen", "--json")
    second = site.hitl("answer", run, "--decision", "reject")
    site.wait(run, "Completed")

    (outcome,) = site.outcomes(run)
    (verdict,) = outcome["review"]["verdicts"]
    assert json.loads(first.stdout)["decision"] == "approve"
    assert (second.returncode, "does not wait for a person" in second.stderr) == (1, True)
    assert (verdict["reviewer"], verdict["channel"], verdict["reason"]) == ("ada", "cli", "seen")


def test_another_draft_than_the_one_that_was_seen_is_not_answered(site, waiting):
    """`show` names the draft, and `answer --draft` holds to it."""
    done = site.hitl("answer", waiting, "--draft", "000000000000", "--decision", "approve")

    assert (done.returncode, "no longer the one that waits" in done.stderr) == (1, True)
    assert site.state(waiting) == "Suspended"
    assert f"--draft {site.form(waiting)['x-hitl-draft-sha256'][:12]}" in site.hitl("show", waiting).stdout


def test_approve_must_name_what_it_approves(site, waiting):
    """A bare approve over the API is refused: between looking and answering the draft may have changed."""
    bare = site.api.post(f"/flow_runs/{waiting}/resume", json={"run_input": {"decision": "approve"}}).json()
    stale = site.answer(waiting, decision="approve", draft_sha256="0" * 64)

    assert (bare["status"], stale["status"], site.state(waiting)) == ("REJECT", "REJECT", "Suspended")


def test_without_a_server_the_message_says_what_to_do(site):
    """No traceback, and the address that was tried."""
    site.environment["PREFECT_API_URL"], right = "http://127.0.0.1:9/api", site.environment["PREFECT_API_URL"]
    try:
        done = site.hitl("inbox")
    finally:
        site.environment["PREFECT_API_URL"] = right

    assert (done.returncode, done.stderr) == (
        1,
        "hitl: no Prefect server answers at http://127.0.0.1:9/api: start one (`prefect server start`) or set "
        "PREFECT_API_URL\n",
    )


def test_doctor_races_a_store_and_says_what_follows(site, tmp_path):
    """Ceph and a folder let one writer win; a bucket that is not there is a failure with its name."""
    missing = site.bucket.url.replace("s3://test-", "s3://missing-")
    good = site.hitl("doctor", site.bucket.url, f"folder:{tmp_path}", "--json")
    bad = site.hitl("doctor", missing)

    found = {check["what"]: check["state"] for check in json.loads(good.stdout)["checks"]}
    assert (good.returncode, set(found.values())) == (0, {"ok"}), good.stdout
    assert (bad.returncode, "missing-" in bad.stdout) == (1, True)
