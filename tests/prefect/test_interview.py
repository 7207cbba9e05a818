"""`hitl answer RUN` at a real pseudo-terminal, with a real script as the editor."""

import re
import sys
from pathlib import Path

import pytest

from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.terminal import Terminal

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}


@pytest.fixture
def waiting(resident, document):
    """A run that waits for anybody."""
    return resident.start(extract_invoice, document=document, policy={}, model=resident.drafting(DRAFT))


@pytest.fixture
def editor(tmp_path):
    """A command that does to the file, at each opening, the next of these replacements; it keeps what it was given."""

    def made(*replacements: tuple[str, str]) -> str:
        script = tmp_path / "editor.py"
        script.write_text(
            "import pathlib, sys\n"
            f"here, steps = pathlib.Path({str(tmp_path)!r}), {list(replacements)!r}\n"
            "opened = len(list(here.glob('seen-*')))\n"
            "paper = pathlib.Path(sys.argv[1]); text = paper.read_text()\n"
            "(here / f'seen-{opened}').write_text(text)\n"
            "old, new = steps[opened]\n"
            "head, mark, body = text.partition('stands the answer ----\\n')\n"
            "paper.write_text(head + mark + (body.replace(old, new) if old else new))\n"
        )
        return f"{sys.executable} {script}"

    return made


def kept_file(screen):
    """The file that was named as kept."""
    return Path(re.search(r"kept in (\S+)\. To send it", screen.replace("\n", "")).group(1))


def send(terminal, *, reason="", question="[y/N]", yes="y"):
    """The last two questions, answered; the command ends well."""
    terminal.see("(Enter: no reason)")
    terminal.type(reason)
    terminal.see(question)
    terminal.type(yes)
    assert terminal.end() == 0, terminal.screen


def test_a_person_is_shown_the_draft_and_approves_it(resident, waiting):
    """Shown without markdown's own signs; the verdict says when it was shown."""
    with Terminal(resident.server.api_url, "answer", waiting) as terminal:
        shown = terminal.see("Decision (approve, edit, reject, retry):")
        terminal.type("maybe")
        terminal.see("Choose one of approve, edit, reject, retry")
        terminal.type("a")
        terminal.see("Your name")
        terminal.type("ada")
        send(terminal, reason="as on the paper", question="Send approve as ada? [y/N]")
    resident.go_on(waiting)

    (outcome,) = resident.outcomes(waiting)
    (verdict,) = outcome["review"]["verdicts"]
    assert ("```" in shown, "**" in shown, "ACME" in shown) == (False, False, True), shown
    assert (verdict["reviewer"], verdict["channel"], verdict["reason"]) == ("ada", "cli", "as on the paper")
    assert outcome["review"]["verdicts"][0]["opened_at"] < verdict["seen_at"] < verdict["decided_at"]


def test_what_is_missing_or_not_allowed_is_asked_for_again(resident, document):
    """`retry` without guidance, and a name that is not on the list."""
    policy = {"reviewers": ["ada", "bob"]}
    run = resident.start(extract_invoice, document=document, policy=policy, model=resident.drafting(DRAFT))
    with Terminal(resident.server.api_url, "answer", run) as terminal:
        terminal.see("Decision")
        terminal.type("re")
        terminal.see("the first letters are enough")
        terminal.type("ret")
        terminal.see("do better?")
        terminal.type("")
        terminal.see("guidance: retry needs a word")
        terminal.type("Look at page two.")
        terminal.see("Your name, one of ada, bob: ")
        terminal.type("mallory")
        terminal.see("reviewer: this form is for ada, bob")
        terminal.type("bob")
        send(terminal, question="Send retry as bob?", yes="yes")
    resident.go_on(run)
    resident.answer(run, decision="approve", reviewer="ada")
    resident.go_on(run)

    (outcome,) = resident.outcomes(run)
    said = [(one["decision"], one["guidance"], one["reviewer"]) for one in outcome["review"]["verdicts"]]
    assert said == [("retry", "Look at page two.", "bob"), ("approve", "", "ada")]


def test_what_does_not_fit_is_opened_again_with_the_errors(resident, waiting, editor, tmp_path):
    """First it is no JSON, then the total is negative; all that was typed stays, and the changes are shown."""
    steps = (("12.5", "-1 -"), ("-1 -", "-1"), ("-1", "13"))
    with Terminal(resident.server.api_url, "answer", waiting, EDITOR=editor(*steps), VISUAL="") as terminal:
        terminal.see("Decision")
        terminal.type("edit")
        changes = terminal.see("Your name")
        terminal.type("")
        send(terminal)
    resident.go_on(waiting)

    (outcome,) = resident.outcomes(waiting)
    seen = [path.read_text() for path in sorted(tmp_path.glob("seen-*"))]
    told = [[one for one in ("this is no JSON", "total: -1 is less than") if one in text] for text in seen]
    assert (told, outcome["final_answer"]["total"]) == ([[], ["this is no JSON"], ["total: -1 is less than"]], 13.0)
    assert ("-1 -" in seen[1], "You change:\n  total: 12.5 -> 13\n" in changes) == (True, True)


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param("n\n", id="n", marks=pytest.mark.full),
        pytest.param("\x04", id="Ctrl-D", marks=pytest.mark.full),
        pytest.param("\x03", id="Ctrl-C"),
    ],
)
def test_whoever_leaves_sends_nothing_and_keeps_what_they_wrote(resident, waiting, editor, leave):
    """The file is named, and the command that is printed with it sends it."""
    with Terminal(resident.server.api_url, "answer", waiting, EDITOR=editor(("12.5", "13")), VISUAL="") as terminal:
        terminal.see("Decision")
        terminal.type("edit")
        terminal.see("Your name")
        terminal.type("ada")
        terminal.see("(Enter: no reason)")
        terminal.type("")
        terminal.see("[y/N]")
        terminal.press(leave.encode())
        code = terminal.end()
        kept = kept_file(terminal.screen)
    before = resident.state(waiting)
    with Terminal(
        resident.server.api_url, "answer", waiting, "--decision", "edit", "--answer-file", str(kept)
    ) as terminal:
        assert terminal.end() == 0, terminal.screen
    resident.go_on(waiting)

    (outcome,) = resident.outcomes(waiting)
    assert (code, before, outcome["final_answer"]["total"]) == (1, "Suspended", 13.0)


@pytest.mark.parametrize(
    ("editor_is", "says"),
    [("", "no editor is set: set EDITOR"), ("/no/such/editor", "does not start"), ("false", "ended with code 1")],
)
def test_an_editor_that_does_not_work_is_named(resident, waiting, editor_is, says):
    """And the run goes on waiting."""
    with Terminal(resident.server.api_url, "answer", waiting, EDITOR=editor_is, VISUAL="") as terminal:
        terminal.see("Decision")
        terminal.type("edit")
        assert (terminal.end(), says in terminal.screen) == (1, True), terminal.screen

    assert resident.state(waiting) == "Suspended"


def test_closing_the_editor_on_an_error_unchanged_ends_and_keeps_the_file(resident, waiting, editor):
    """Otherwise an editor that changes nothing would be opened for ever."""
    steps = (("12.5", "-1"), ("x", "x"))
    with Terminal(resident.server.api_url, "answer", waiting, EDITOR=editor(*steps), VISUAL="") as terminal:
        terminal.see("Decision")
        terminal.type("edit")
        code = terminal.end()

    assert (code, "total: -1 is less than the minimum of 0" in terminal.screen) == (1, True), terminal.screen
    assert '"total": -1' in kept_file(terminal.screen).read_text()


def test_somebody_who_was_faster_is_told_and_nothing_is_lost(resident, waiting, editor):
    """While the file was open, another answered."""
    with Terminal(resident.server.api_url, "answer", waiting, EDITOR=editor(("12.5", "13")), VISUAL="") as terminal:
        terminal.see("Decision")
        terminal.type("edit")
        terminal.see("Your name")
        terminal.type("ada")
        terminal.see("(Enter: no reason)")
        resident.answer(waiting, decision="reject")
        resident.go_on(waiting)
        terminal.type("")
        terminal.see("[y/N]")
        terminal.type("y")
        code = terminal.end()

    assert (code, "does not wait for a person: it is Completed" in terminal.screen) == (1, True), terminal.screen
    assert '"total": 13' in kept_file(terminal.screen).read_text()
