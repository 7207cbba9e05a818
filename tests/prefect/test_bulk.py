"""One decision for many cases: what is listed, what is asked, what goes on after a failure."""

import json

import pytest

from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.terminal import Terminal, hitl

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}


@pytest.fixture
def start(resident, document):
    """Starts a run that waits for anybody, and returns its id, which is its case's too."""

    def started(draft=DRAFT, **parameters):
        policy = {"policy": {}, **parameters}
        return resident.start(extract_invoice, document=document, model=resident.drafting(draft), **policy)

    return started


def among(*runs):
    """A selection of these cases."""
    return f"case in {list(runs)!r}"


def test_many_are_approved_each_with_its_own_draft(resident, start):
    """What has no valid draft is skipped and told; the rest says that it was answered in bulk."""
    good, other, invalid = start(), start(DRAFT | {"total": 7.0}), start({"vendor": "no total"})
    words = ("answer", "--where", among(good, other, invalid), "--decision", "approve", "--reviewer", "ada", "--yes")
    listed = hitl(resident.server.api_url, *words, "--dry-run")
    states = {resident.state(run) for run in (good, other, invalid)}
    done = hitl(resident.server.api_url, *words, "--json")
    for run in (good, other):
        resident.go_on(run)

    outcomes = [outcome for run in (good, other) for outcome in resident.outcomes(run)]
    verdicts = [outcome["review"]["verdicts"][0] for outcome in outcomes]
    assert (listed.code, states) == (0, {"Suspended"})
    assert ("skipped: there is no valid draft to approve" in listed.out, "approve: 2 of 3" in listed.out) == (
        True,
        True,
    )
    assert (done.code, json.loads(done.out)) == (
        0,
        {
            "answered": [good, other],
            "skipped": [{"run_id": invalid, "why": "there is no valid draft to approve"}],
            "failed": [],
        },
    )
    assert [(one["bulk"], one["seen_at"], one["draft_sha256"]) for one in verdicts] == [
        (True, None, outcome["generation"]["sha256"]) for outcome in outcomes
    ]
    assert [outcome["final_answer"]["total"] for outcome in outcomes] == [12.5, 7.0]


def test_without_a_terminal_and_without_yes_nothing_is_sent(resident, start):
    """Exit code 2, and the message says what to add."""
    run = start()
    done = hitl(resident.server.api_url, "answer", "--where", among(run), "--decision", "approve")

    assert (done.code, "without a terminal nobody can say yes; add --yes" in done.err) == (2, True), done
    assert resident.state(run) == "Suspended"


def test_at_a_terminal_somebody_who_was_faster_stops_nobody_else(resident, start):
    """The failure is told with its reason, and the exit code is 1."""
    first, second = start(), start()
    words = ("--where", among(first, second), "--decision", "approve", "--reviewer", "ada")
    with Terminal(resident.server.api_url, "answer", *words) as terminal:
        terminal.see("Send approve 2 times? [y/N]")
        resident.answer(first, decision="reject")
        resident.go_on(first)
        terminal.type("y")
        code = terminal.end()
    resident.go_on(second)

    assert (code, "1 answered, 0 skipped, 1 failed." in terminal.screen) == (1, True), terminal.screen
    assert "does not wait for a person: it is Completed" in terminal.screen
    assert [outcome["decision"] for run in (first, second) for outcome in resident.outcomes(run)] == [
        "reject",
        "approve",
    ]


def test_a_no_at_the_terminal_sends_nothing(resident, start):
    """As does Enter alone."""
    run = start()
    with Terminal(resident.server.api_url, "answer", "--where", among(run), "--decision", "reject") as terminal:
        terminal.see("[y/N]")
        terminal.type("")
        code = terminal.end()

    assert (code, "Nothing was sent." in terminal.screen, resident.state(run)) == (1, True, "Suspended")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--task", "invoices", "--decision", "edit"], "it cannot be edit"),
        (["--task", "invoices"], "many cases get one --decision"),
        (["--where", "confidense > 1", "--decision", "reject"], "  confidense > 1\n  ^ known are task"),
        (
            ["--task", "invoices", "--decision", "approve", "--answer", "{}"],
            "answer what you want to change one by one",
        ),
        (["a-run", "--task", "invoices", "--decision", "reject"], "name one waiting run, or select many"),
        ([], "name one waiting run, or select many"),
        (["a-run"], "without a terminal nobody can be asked: give --decision"),
        (["a-run", "--json"], "--json asks nobody: give --decision"),
        (["--task", "invoices", "--decision", "reject", "--draft", "00"], "--draft names the draft of one run"),
        (["a-run", "--decision", "reject", "--dry-run"], "--yes and --dry-run are for many cases"),
        (["a-run", "--decision", "edit", "--answer", "1", "--answer-file", "a.json"], "two answers: give one of them"),
        (["a-run", "--answer", "1"], "go with --decision edit: add it"),
    ],
    ids=[
        *("edit", "no decision", "misspelt", "an answer", "both", "nothing", "no terminal", "no decision as JSON"),
        *("draft of many", "dry run of one", "two answers", "answer without decision"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_looked_at(resident, words, says):
    """Exit code 2."""
    done = hitl(resident.server.api_url, "answer", *words)

    assert (done.code, says in done.err) == (2, True), done.err


def test_nothing_selected_is_no_failure(resident):
    """Exit code 0: there was nothing to do."""
    done = hitl(resident.server.api_url, "answer", "--task", "no-such-task", "--decision", "reject", "--yes")

    assert (done.code, done.out) == (0, "reject: 0 of 0 selected cases.\n")
