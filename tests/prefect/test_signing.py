"""Signed verdicts in a real flow run: who signs with `hitl answer` is heard, everybody else is asked again."""

import json
import os
import subprocess
import sys

import pytest

from hitl_prefect.forms import Form
from hitl_prefect.keys import keys_folder, make_key, private_key
from hitl_prefect.policy import Policy
from hitl_prefect.signatures import statement_typed
from hitl_prefect.signing import sign_verdict
from tests.prefect.flows.invoices import extract_invoice
from tests.prefect.terminal import hitl

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}


class Desk:
    """Reviewers with key files, a policy that knows them, and their command line."""

    def __init__(self, resident, folder):
        self.resident, self.folder = resident, folder
        names = ("ada", "bob", "eve")
        self.policy = {
            "require_signature": True,
            "reviewers": names,
            "reviewer_keys": {name: make_key(name).public_key for name in names},
        }
        make_key("mallory")

    def hitl(self, *arguments):
        return hitl(self.resident.server.api_url, *arguments)

    @property
    def store(self):
        return f"folder:{self.folder / 'outcomes'}"

    def start(self, document, **policy):
        facts = {"document": document, "policy": {**self.policy, **policy}, "store": self.store}
        return self.resident.start(extract_invoice, model=self.resident.drafting(DRAFT), **facts)

    def stored(self):
        """The one outcome of this desk, and where it is."""
        (path,) = (self.folder / "outcomes").glob("outcomes/**/*.json")
        return json.loads(path.read_bytes()), path

    def signed(self, run, key, **typed):
        """What a client of somebody's own sends, signed with whichever key."""
        schema, label = self.resident.form(run), self.resident.run(run)["labels"]
        draft, description = schema["x-hitl-draft-sha256"], self.resident.description(run)
        form = Form(form_schema=schema, description=description, draft_sha256=draft)
        typed = {"draft_sha256": draft, "channel": "api", **typed}
        statement = statement_typed(typed, form, task=label["hitl.task"], case=label["hitl.case"])
        return {**typed, "signature": sign_verdict(private_key(key), statement)}

    def send(self, run, **typed):
        """Answer over REST, and let the flow go on; returns the name of its state."""
        taken = self.resident.answer(run, **typed)
        assert taken["status"] == "ACCEPT", taken
        return self.resident.go_on(run)

    def answer(self, run, reviewer, *arguments):
        """`hitl answer` as a reviewer runs it, and let the flow go on."""
        return self.answer_by(run, run, "--reviewer", reviewer, *arguments)

    def answer_by(self, run, *arguments):
        """The same with all of its words."""
        done = self.hitl("answer", *arguments)
        assert done.code == 0, done.err
        return self.resident.go_on(run)

    def verify(self):
        """The problems that `hitl verify` finds on a machine without a Prefect server."""
        file = self.folder / "policy.json"
        file.write_text(Policy.model_validate(self.policy).model_dump_json())
        command = [sys.executable, "-m", "hitl_prefect", "verify", self.store, "--policy", str(file), "--json"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        return [one["problem"] for one in json.loads(done.stdout)["findings"]]


@pytest.fixture
def desk(resident, tmp_path, monkeypatch):
    monkeypatch.setenv("HITL_KEYS", str(tmp_path / "keys"))
    return Desk(resident, tmp_path)


def test_what_is_not_signed_by_its_reviewer_is_asked_again_and_recorded(resident, desk, document):
    """Unsigned, forged, under another's name, unlisted, replayed; then `hitl answer` settles it."""
    run = desk.start(document)
    replayed = desk.signed(run, "ada", decision="approve", reviewer="ada")
    attempts = [
        {"decision": "approve", "reviewer": "ada"},
        desk.signed(run, "mallory", decision="approve", reviewer="ada"),
        desk.signed(run, "mallory", decision="approve", reviewer="mallory"),
        replayed,
    ]
    states = [desk.send(run, **attempts[0])]
    asked_again = resident.description(run)
    states += [desk.send(run, **one) for one in attempts[1:]]
    states += [desk.send(run, **desk.signed(run, "bob", decision="approve", reviewer="ada"))]
    settled = desk.answer(run, "ada", "--decision", "edit", "--answer", '{"vendor": "ACME", "total": 13}')

    outcome, _ = desk.stored()
    review = outcome["review"]
    assert (states, settled) == (["Suspended"] * 5, "Completed")
    assert "Verdicts on this task are signed" in asked_again
    assert "answer with `hitl answer RUN`; the browser cannot sign" in asked_again
    assert [one["errors"][0].partition(":")[0] for one in review["refused_answers"]] == [
        "signature",
        "signature",
        "reviewer",
        "signature",
        "signature",
    ]
    assert [(one["reviewer"], one["channel"]) for one in review["verdicts"]] == [("ada", "cli")]
    assert outcome["final_answer"] == {"vendor": "ACME", "total": 13.0, "notes": {}}


def test_two_signatures_make_a_quorum_and_a_changed_one_is_found(resident, desk, document):
    """What was stored is checked again without a Prefect server, from the outcome and the policy alone."""
    desk.policy = {**desk.policy, "quorum": 2}
    run = desk.start(document)
    after_one = desk.answer(run, "ada", "--decision", "approve", "--reason", "seen")
    after_two = desk.answer(run, "bob", "--decision", "approve")

    outcome, path = desk.stored()
    decided_by, clean = outcome["decided_by"], desk.verify()
    first, second = outcome["review"]["verdicts"]
    first["signature"], second["signature"] = second["signature"], None
    path.write_text(json.dumps(outcome))

    assert (after_one, after_two, decided_by, clean) == ("Suspended", "Completed", "quorum", [])
    assert desk.verify() == [
        f"its bytes are not those that cases/v1/task=invoices/{path.name} names: it was changed after it was stored",
        "approve by 'ada' has a signature that is not theirs, or not for this verdict",
        "approve by 'bob' lacks the signature that the policy requires",
    ]


def test_who_has_no_key_here_is_told_and_nothing_is_sent(resident, desk, document):
    """The run goes on waiting."""
    run = desk.start(document)
    keys_folder().joinpath("eve.pem").unlink()
    done = desk.hitl("answer", run, "--reviewer", "eve", "--decision", "approve")

    assert (done.code, "make one with `hitl keys make eve`" in done.err) == (1, True)
    assert resident.state(run) == "Suspended"


@pytest.mark.parametrize("words", [["{run}"], ["--where", 'case == "{run}"', "--yes"]], ids=["one", "many"])
def test_hitl_answer_signs_on_request_where_nobody_asks_for_it(resident, desk, document, words):
    """A known key makes a signature count for `hitl verify`, also where the policy does not need it."""
    run = desk.start(document, require_signature=False)
    which = [word.format(run=run) for word in words]
    settled = desk.answer_by(run, *which, "--reviewer", "ada", "--decision", "approve", "--sign")

    outcome, _ = desk.stored()
    assert settled == "Completed"
    assert outcome["review"]["verdicts"][0]["signature"].startswith("ed25519:")
